/* What the load generators need: words for failures, clocks, a histogram, the dialogue with the parent.
 *
 * Included by load.c, udp_load.c, http_load.c and fanout_load.c. A generator talks to its parent in lines,
 * so that the parent can read the server's CPU clock while nothing is in flight: it prints {"event":"begin"}
 * and waits for a line on stdin, works, prints {"event":"end",...} when the last reply has arrived, and holds
 * its sockets until stdin ends. Linux only.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const char *phase = "connecting";

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "load: while %s: ", phase);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static void timed_out(int signal_number) {
    (void)signal_number;
    static const char text[] = "load: timed out while ";
    if (write(2, text, sizeof text - 1) < 0 || write(2, phase, strlen(phase)) < 0) _exit(4);
    _exit(3);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double own_cpu(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- latency: a histogram with 32 steps per power of two, so 3 % wide ---- */

enum { STEPS = 32, BUCKETS = 64 * STEPS };
static uint64_t histogram[BUCKETS];

static void record(uint64_t ns) {
    if (ns < STEPS) ns = STEPS;
    int power = 63 - __builtin_clzll(ns);
    histogram[power * STEPS + (int)((ns >> (power - 5)) & (STEPS - 1))]++;
}

static double percentile(double share) {
    uint64_t total = 0, seen = 0;
    for (int i = 0; i < BUCKETS; i++) total += histogram[i];
    for (int i = 0; i < BUCKETS; i++) {
        seen += histogram[i];
        if (total && seen >= share * total) return (double)(1ull << (i / STEPS)) * (STEPS + i % STEPS) / STEPS / 1000;
    }
    return 0;
}

/* ---- the dialogue ---- */

static void wait_for_parent(void) {
    char line[64];
    if (!fgets(line, sizeof line, stdin)) exit(0);
}

static void hold(void) {
    while (getchar() != EOF) {}
}

/* Print each line at once, and give up when it takes longer than it may. */
static void prepare(int seconds) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGALRM, timed_out);
    signal(SIGPIPE, SIG_IGN);
    alarm((unsigned)seconds);
}
