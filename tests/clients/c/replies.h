/* Asking with hiredis, and looking into its replies. */

#ifndef REPLIES_H
#define REPLIES_H

#include <hiredis.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Replies live until their scenario is over, so that it can compare what they hold. */
static redisReply *kept[64];
static size_t kept_count;
static char last_error[256];
static redisReply nothing = {.type = REDIS_REPLY_ERROR};

/* Take a reply into keeping; instead of none, or of an error, an empty one. */
static inline const redisReply *keep(redisContext *ezra, redisReply *reply)
{
    if (reply == NULL) {
        snprintf(last_error, sizeof last_error, "%s", ezra->errstr);
        return &nothing;
    }
    if (kept_count == sizeof kept / sizeof *kept) /* the last one makes room: ids came early */
        freeReplyObject(kept[--kept_count]);
    kept[kept_count++] = reply;
    if (reply->type != REDIS_REPLY_ERROR)
        return reply;
    snprintf(last_error, sizeof last_error, "%s", reply->str);
    return &nothing;
}

static inline void let_go(void)
{
    while (kept_count > 0)
        freeReplyObject(kept[--kept_count]);
    strcpy(last_error, "none");
}

/* Send a command and return its reply, which is kept. */
static inline const redisReply *ask(redisContext *ezra, const char *format, ...)
{
    va_list words;

    va_start(words, format);
    redisReply *reply = redisvCommand(ezra, format, words);
    va_end(words);
    return keep(ezra, reply);
}

static inline bool is_text(const redisReply *reply, const char *text)
{
    return reply->str != NULL && strcmp(reply->str, text) == 0;
}

static inline bool is_integer(const redisReply *reply, long long number)
{
    return reply->type == REDIS_REPLY_INTEGER && reply->integer == number;
}

/* An element of a list, at a path such as 0, 1; one that is empty if there is none. */
static inline const redisReply *at(const redisReply *reply, size_t depth, ...)
{
    va_list path;

    va_start(path, depth);
    while (depth-- > 0) {
        size_t index = va_arg(path, int);
        reply = index < reply->elements ? reply->element[index] : &nothing;
    }
    va_end(path);
    return reply;
}

/* The value with this name in a list of names and values, or in a map. */
static inline const redisReply *named(const redisReply *pairs, const char *name)
{
    for (size_t i = 0; i + 1 < pairs->elements; i += 2)
        if (is_text(pairs->element[i], name))
            return pairs->element[i + 1];
    return &nothing;
}

#endif
