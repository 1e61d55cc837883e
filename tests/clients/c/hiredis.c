/* hiredis. Version 0.14 speaks RESP2; from 1.0 on either, after a HELLO.
 * Arguments: host port queue-prefix protocol
 */

#define _DEFAULT_SOURCE

#include <hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replies.h"
#include "report.h"

/* [connect] */
static redisContext *connect_to(const char *host, int port, int protocol)
{
    redisContext *ezra = redisConnect(host, port);

    if (ezra == NULL || ezra->err) {
        fprintf(stderr, "%s\n", ezra ? ezra->errstr : "out of memory");
        exit(1);
    }
    if (protocol == 3) /* from hiredis 1.0 on */
        freeReplyObject(redisCommand(ezra, "HELLO 3"));
    return ezra;
}
/* [/connect] */

/* [worker] */
/* The tasks in the reply to an XREADGROUP of one queue, or NULL: each is an id and its fields. */
static const redisReply *tasks_in(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_NIL || reply->elements == 0)
        return NULL;
    if (reply->type == REDIS_REPLY_ARRAY) /* RESP2: a list of pairs; RESP3: a map */
        reply = reply->element[0];
    return reply->element[1];
}

/* Work on one queue until `stop` says so or the connection is lost. If `handle` says that a task has
 * failed, it is tried again, and is dead after its last attempt. */
static void work(redisContext *ezra, const char *queue,
                 bool (*handle)(const redisReply *fields), bool (*stop)(void))
{
    while (!stop()) {
        redisReply *reply = redisCommand(
            ezra, "XREADGROUP GROUP workers worker-1 COUNT 1 BLOCK 1000 STREAMS %s >", queue);
        if (reply == NULL)
            return; /* ezra->errstr tells why */
        const redisReply *tasks = tasks_in(reply);
        for (size_t i = 0; tasks != NULL && i < tasks->elements; i++) {
            const redisReply *id = tasks->element[i]->element[0];
            bool done = handle(tasks->element[i]->element[1]);
            /* In EZRA XDEL is a nack: it deletes nothing. */
            const char *answer = done ? "XACK %s workers %s" : "XDEL %s %s";
            freeReplyObject(redisCommand(ezra, answer, queue, id->str));
        }
        freeReplyObject(reply);
    }
}
/* [/worker] */

static const char *host, *prefix;
static int port, protocol;

static const char *id_of(const redisReply *reply)
{
    return reply->str ? reply->str : "no id";
}

static const char *push(redisContext *ezra, const char *queue, const char *payload)
{
    return id_of(ask(ezra, "XADD %s * payload %s", queue, payload));
}

/* Claim what there is, without waiting. */
static const redisReply *claim(redisContext *ezra, const char *queue, const char *worker, int count)
{
    const redisReply *tasks = tasks_in(
        ask(ezra, "XREADGROUP GROUP workers %s COUNT %d STREAMS %s >", worker, count, queue));
    return tasks ? tasks : &nothing;
}

/* Claim the one task that there is: its id and its fields. */
static const redisReply *claim_one(redisContext *ezra, const char *queue)
{
    const redisReply *tasks = claim(ezra, queue, "worker-1", 2);
    return tasks->elements == 1 ? tasks->element[0] : &nothing;
}

static bool ack(redisContext *ezra, const char *queue, const char *id)
{
    return is_integer(ask(ezra, "XACK %s workers %s", queue, id), 1);
}

static bool has_length(redisContext *ezra, const char *queue, long long length)
{
    return is_integer(ask(ezra, "XLEN %s", queue), length);
}

static char attempts_seen[8];

static bool fail_at_first(const redisReply *fields)
{
    strncat(attempts_seen, named(fields, "attempts")->str, 1);
    return strlen(attempts_seen) > 1;
}

static bool is_done(void)
{
    return strlen(attempts_seen) == 2;
}

static const char *produce_and_work(redisContext *ezra, const char *queue)
{
    static const char payload[] = "caf\xE9\0\r\n";
    size_t size = sizeof payload - 1;
    const char *id = id_of(ask(ezra, "XADD %s * payload %b to alice", queue, payload, size));

    for (int i = 0; i < 2; i++)
        EXPECT(is_text(ask(ezra, "XGROUP CREATE %s workers 0 MKSTREAM", queue), "OK"));
    const redisReply *task = claim_one(ezra, queue), *fields = at(task, 1, 1);
    EXPECT(is_text(at(task, 1, 0), id));
    EXPECT(named(fields, "payload")->len == size);
    EXPECT(memcmp(named(fields, "payload")->str, payload, size) == 0);
    EXPECT(is_text(named(fields, "to"), "alice"));
    EXPECT(is_text(named(fields, "attempts"), "1"));
    EXPECT(ack(ezra, queue, id));
    EXPECT(has_length(ezra, queue, 0));

    push(ezra, queue, "again");
    work(ezra, queue, fail_at_first, is_done);
    EXPECT(strcmp(attempts_seen, "12") == 0);
    EXPECT(claim(ezra, queue, "worker-1", 1)->elements == 0);
    return NULL;
}

static const char *order_and_batch(redisContext *ezra, const char *queue)
{
    static const char *const payloads[] = {"1", "2", "3", "4", "5"};
    const char *ids[5];

    for (int i = 0; i < 5; i++)
        ids[i] = push(ezra, queue, payloads[i]);
    const redisReply *tasks = claim(ezra, queue, "worker-1", 5);
    for (int i = 0; i < 5; i++) {
        EXPECT(is_text(at(tasks, 2, i, 0), ids[i]));
        EXPECT(is_text(named(at(tasks, 2, i, 1), "payload"), payloads[i]));
    }
    EXPECT(is_integer(ask(ezra, "XACK %s workers %s %s %s %s %s", queue, ids[0], ids[1], ids[2],
                          ids[3], ids[4]), 5));
    const redisReply *reply = ask(ezra, "XREADGROUP GROUP workers w STREAMS %s >", queue);
    EXPECT(reply->type == REDIS_REPLY_NIL);
    return NULL;
}

static const char *retry(redisContext *ezra, const char *queue)
{
    const char *id = push(ezra, queue, "x");

    EXPECT(is_text(at(claim_one(ezra, queue), 1, 0), id));
    EXPECT(is_integer(ask(ezra, "XDEL %s %s", queue, id), 1));
    const redisReply *task = claim_one(ezra, queue);
    EXPECT(is_text(at(task, 1, 0), id));
    EXPECT(is_text(named(at(task, 1, 1), "attempts"), "2"));
    EXPECT(ack(ezra, queue, id));
    return NULL;
}

static const char *dead_letter(redisContext *ezra, const char *queue)
{
    char dead[256];

    snprintf(dead, sizeof dead, "%s::dead", queue);
    const char *id = id_of(ask(ezra, "XADD %s * payload x max_attempts 1", queue));
    claim_one(ezra, queue);
    EXPECT(is_integer(ask(ezra, "XDEL %s %s", queue, id), 1));
    EXPECT(has_length(ezra, dead, 1));
    EXPECT(is_text(at(ask(ezra, "XRANGE %s - +", dead), 2, 0, 0), id));
    EXPECT(is_text(at(claim_one(ezra, dead), 1, 0), id));
    EXPECT(ack(ezra, dead, id));
    EXPECT(has_length(ezra, dead, 0));
    return NULL;
}

static const char *blocking(redisContext *ezra, const char *queue)
{
    const char *words = "XREADGROUP GROUP workers worker-1 COUNT 1 BLOCK %d STREAMS %s >";
    redisContext *worker = connect_to(host, port, protocol);
    void *arrived = NULL;
    int written = 0;

    EXPECT(ask(ezra, words, 300, queue)->type == REDIS_REPLY_NIL);
    redisAppendCommand(worker, words, 10000, queue);
    while (!written)
        EXPECT(redisBufferWrite(worker, &written) == REDIS_OK);
    const char *id = push(ezra, queue, "x");
    EXPECT(redisGetReply(worker, &arrived) == REDIS_OK);
    const redisReply *tasks = tasks_in(keep(worker, arrived));
    redisFree(worker);
    EXPECT(tasks != NULL && is_text(at(tasks, 2, 0, 0), id));
    EXPECT(ack(ezra, queue, id));
    return NULL;
}

static const char *heartbeat(redisContext *ezra, const char *queue)
{
    const char *renew = "XCLAIM %s workers worker-1 0 %s JUSTID";
    const char *id = id_of(ask(ezra, "XADD %s * payload x visibility_timeout 1", queue));

    claim_one(ezra, queue);
    for (int beat = 0; beat < 12; beat++) {
        usleep(100000);
        EXPECT(is_text(at(ask(ezra, renew, queue, id), 1, 0), id));
        EXPECT(claim(ezra, queue, "worker-2", 1)->elements == 0);
    }
    EXPECT(ack(ezra, queue, id));
    const redisReply *held = ask(ezra, renew, queue, id);
    EXPECT(held->type == REDIS_REPLY_ARRAY && held->elements == 0);
    return NULL;
}

static const char *pending(redisContext *ezra, const char *queue)
{
    const char *id = push(ezra, queue, "x");

    claim_one(ezra, queue);
    const redisReply *summary = ask(ezra, "XPENDING %s workers", queue);
    EXPECT(is_integer(at(summary, 1, 0), 1));
    EXPECT(is_text(at(summary, 1, 1), id) && is_text(at(summary, 1, 2), id));
    EXPECT(is_text(at(summary, 3, 3, 0, 0), "worker-1"));
    EXPECT(is_text(at(summary, 3, 3, 0, 1), "1"));
    const redisReply *seen = at(ask(ezra, "XPENDING %s workers - + 10", queue), 1, 0);
    EXPECT(is_text(at(seen, 1, 0), id) && is_text(at(seen, 1, 1), "worker-1"));
    EXPECT(is_integer(at(seen, 1, 3), 1));
    usleep(20000);
    const redisReply *taken = ask(ezra, "XAUTOCLAIM %s workers worker-2 1 0-0", queue);
    EXPECT(is_text(at(taken, 3, 1, 0, 0), id));
    EXPECT(is_text(named(at(taken, 3, 1, 0, 1), "attempts"), "2"));
    EXPECT(ack(ezra, queue, id));
    return NULL;
}

static const char *transaction(redisContext *ezra, const char *queue)
{
    char first[256], second[256];

    snprintf(first, sizeof first, "%s:a", queue);
    snprintf(second, sizeof second, "%s:b", queue);
    const char *id = push(ezra, first, "1");
    claim_one(ezra, first);
    ask(ezra, "MULTI");
    push(ezra, first, "2");
    push(ezra, second, "3");
    ask(ezra, "XACK %s workers %s", first, id);
    const redisReply *results = ask(ezra, "EXEC");
    EXPECT(results->elements == 3 && is_integer(at(results, 1, 2), 1));
    EXPECT(has_length(ezra, first, 1) && has_length(ezra, second, 1));

    ask(ezra, "MULTI");
    push(ezra, first, "4");
    ask(ezra, "XADD %s 1-1 x y", first);
    EXPECT(ask(ezra, "EXEC")->type == REDIS_REPLY_ERROR);
    EXPECT(has_length(ezra, first, 1));
    return NULL;
}

static const char *inspect(redisContext *ezra, const char *queue)
{
    const char *first = push(ezra, queue, "1"), *second = push(ezra, queue, "2");

    ask(ezra, "XGROUP CREATE %s workers 0 MKSTREAM", queue);
    const redisReply *forwards = ask(ezra, "XRANGE %s - +", queue);
    EXPECT(is_text(at(forwards, 2, 0, 0), first) && is_text(at(forwards, 2, 1, 0), second));
    const redisReply *backwards = ask(ezra, "XREVRANGE %s + -", queue);
    EXPECT(is_text(at(backwards, 2, 0, 0), second) && is_text(at(backwards, 2, 1, 0), first));
    claim(ezra, queue, "worker-1", 1);
    const redisReply *stream = ask(ezra, "XINFO STREAM %s", queue);
    EXPECT(is_integer(named(stream, "length"), 1) && is_integer(named(stream, "groups"), 1));
    const redisReply *group = at(ask(ezra, "XINFO GROUPS %s", queue), 1, 0);
    EXPECT(is_text(named(group, "name"), "workers") && is_integer(named(group, "pending"), 1));
    const redisReply *worker = at(ask(ezra, "XINFO CONSUMERS %s workers", queue), 1, 0);
    EXPECT(is_text(named(worker, "name"), "worker-1") && is_integer(named(worker, "pending"), 1));
    EXPECT(ack(ezra, queue, first));
    return NULL;
}

static const char *reconnect(redisContext *ezra, const char *queue)
{
    have_cut(ask(ezra, "CLIENT ID")->integer);
    const redisReply *reply = ask(ezra, "XADD %s * payload x", queue);
    if (ezra->err) { /* hiredis says so, and connects again when it is told to. */
        EXPECT(redisReconnect(ezra) == REDIS_OK);
        if (protocol == 3)
            ask(ezra, "HELLO 3");
        reply = ask(ezra, "XADD %s * payload x", queue);
    }
    const redisReply *tasks = claim(ezra, queue, "worker-1", 5);
    EXPECT(tasks->elements == 1 && is_text(at(tasks, 2, 0, 0), id_of(reply)));
    EXPECT(ack(ezra, queue, id_of(reply)));
    return NULL;
}

static const struct {
    const char *name;
    const char *(*steps)(redisContext *ezra, const char *queue);
} scenarios[] = {
    {"produce-and-work", produce_and_work},
    {"order-and-batch", order_and_batch},
    {"retry", retry},
    {"dead-letter", dead_letter},
    {"blocking", blocking},
    {"heartbeat", heartbeat},
    {"pending", pending},
    {"transaction", transaction},
    {"inspect", inspect},
    {"reconnect", reconnect},
};

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    host = argv[1], port = atoi(argv[2]), prefix = argv[3], protocol = atoi(argv[4]);
    printf("version %d.%d.%d\n", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
    redisContext *ezra = connect_to(host, port, protocol);
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        char queue[200];

        snprintf(queue, sizeof queue, "%s:%s", prefix, scenarios[i].name);
        let_go();
        report(scenarios[i].name, scenarios[i].steps(ezra, queue), last_error);
    }
    let_go();
    redisFree(ezra);
    return 0;
}
