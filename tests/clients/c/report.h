/* How a program tells the runner what it has found: a line for each scenario. */

#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdio.h>

/* Leave a scenario unless this holds: a scenario returns what did not hold, or NULL. */
#define EXPECT(truth) do { if (!(truth)) return #truth; } while (0)

/* Say how a scenario went. `error` is what the server said last, if it refused something. */
static inline void report(const char *name, const char *surprise, const char *error)
{
    if (surprise == NULL)
        printf("ok %s\n", name);
    else
        printf("FAIL %s: not %s; the last error was: %s\n", name, surprise, error);
    fflush(stdout);
}

/* Have the runner cut the connection with this id; return once it has. */
static inline void have_cut(long long client_id)
{
    char line[16];

    printf("cut %lld\n", client_id);
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        fputs("the runner has gone\n", stderr);
}

#endif
