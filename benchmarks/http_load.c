/* The load generator of the HTTP benchmark: GET of one document over keep-alive connections.
 *
 * Compiled by http.py; by hand:
 *     gcc -O2 http_load.c -o http_load
 *     ./http_load PATH -p PORT -s BYTES -c CONNECTIONS -w WARMUP -d SECONDS
 *
 * Each connection asks again as soon as it has the whole answer. Every answer must be a 200 with a
 * Content-Length of BYTES, begin with 'R' and end with a line feed.
 *
 * How it talks to its parent says generator.h.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "generator.h"

enum { HEAD = 4096, SCRATCH = 256 * 1024 };

static struct {
    int port, connections, timeout;
    size_t size;
    double warmup, seconds;
    const char *path;
} opt = {.connections = 1, .timeout = 60, .seconds = 2};

struct connection {
    int fd;
    char head[HEAD + 1];  /* of the answer, as far as it has come */
    size_t got;           /* bytes of it */
    size_t left;          /* bytes of the body that are still to come */
    uint64_t asked_at;
};

static char request[2048], scratch[SCRATCH];
static size_t request_size;

static int dial(void) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(opt.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (void *)&to, sizeof to)) die("connect: %s", strerror(errno));
    return fd;
}

static void ask(struct connection *c) {
    c->got = c->left = 0;
    c->asked_at = now_ns();
    if (send(c->fd, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size) die("send: %s", strerror(errno));
}

static void check_head(const char *head) {
    if (strncmp(head, "HTTP/1.1 200", 12)) die("an answer that begins '%.12s'", head);
    const char *length = strcasestr(head, "\r\nContent-Length:");
    if (!length) die("an answer without a Content-Length");
    size_t size = strtoul(length + 17, NULL, 10);
    if (size != opt.size) die("an answer of %zu bytes instead of %zu", size, opt.size);
}

/* Take in what has arrived; true when the answer is complete. */
static bool take(struct connection *c, const char *data, size_t n) {
    if (!c->left) {
        size_t room = HEAD - c->got, before = c->got, part = n < room ? n : room;
        memcpy(c->head + before, data, part);
        c->got += part;
        c->head[c->got] = 0;
        char *end = strstr(c->head, "\r\n\r\n");
        if (!end) {
            if (c->got == HEAD) die("a head of more than %d bytes", HEAD);
            return false;
        }
        end[2] = 0;
        check_head(c->head);
        size_t used = (size_t)(end + 4 - c->head) - before;
        data += used;
        n -= used;
        c->left = opt.size;
        if (!n) return false;
    }
    if (c->left == opt.size && *data != 'R') die("a body that begins with 0x%02x", (unsigned char)*data);
    if (n > c->left) die("%zu bytes behind the answer", n - c->left);
    c->left -= n;
    if (c->left) return false;
    if (data[n - 1] != '\n') die("a body that ends with 0x%02x", (unsigned char)data[n - 1]);
    return true;
}

/* Ask for `seconds`, then take in what is under way. Returns the answers. */
static uint64_t exchange(int poller, struct connection *all, double seconds) {
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9), done = 0;
    int under_way = opt.connections;
    struct epoll_event events[256];
    for (int i = 0; i < opt.connections; i++) ask(&all[i]);
    while (under_way) {
        int ready = epoll_wait(poller, events, 256, -1);
        bool asking = now_ns() < end;
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            ssize_t n = recv(c->fd, scratch, SCRATCH, MSG_DONTWAIT);
            if (n < 0 && errno == EAGAIN) continue;
            if (n <= 0) die("the server closed a connection: %s", n ? strerror(errno) : "end of file");
            if (!take(c, scratch, (size_t)n)) continue;
            record(now_ns() - c->asked_at);
            done++;
            if (asking) ask(c);
            else under_way--;
        }
    }
    return done;
}

static void run(void) {
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct connection *all = calloc((size_t)opt.connections, sizeof *all);
    for (int i = 0; i < opt.connections; i++) {
        all[i].fd = dial();
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        epoll_ctl(poller, EPOLL_CTL_ADD, all[i].fd, &event);
    }
    phase = "warming up";
    exchange(poller, all, opt.warmup);
    printf("{\"event\":\"begin\",\"connections\":%d}\n", opt.connections);
    wait_for_parent();
    phase = "measuring";
    memset(histogram, 0, sizeof histogram);
    double cpu = own_cpu();
    uint64_t start = now_ns();
    uint64_t done = exchange(poller, all, opt.seconds);
    double seconds = (now_ns() - start) / 1e9;
    printf("{\"event\":\"end\",\"messages\":%lu,\"seconds\":%.6f,\"load_cpu\":%.6f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
           (unsigned long)done, seconds, own_cpu() - cpu, percentile(.5), percentile(.99));
    hold();
}

int main(int argc, char **argv) {
    int option;
    while ((option = getopt(argc, argv, "p:s:c:w:d:T:")) != -1) {
        switch (option) {
        case 'p': opt.port = atoi(optarg); break;
        case 's': opt.size = strtoul(optarg, NULL, 10); break;
        case 'c': opt.connections = atoi(optarg); break;
        case 'w': opt.warmup = atof(optarg); break;
        case 'd': opt.seconds = atof(optarg); break;
        case 'T': opt.timeout = atoi(optarg); break;
        default: return 2;
        }
    }
    if (!opt.port || !opt.size || opt.connections < 1 || optind != argc - 1) die("bad option");
    opt.path = argv[optind];
    request_size = (size_t)snprintf(request, sizeof request,
                                    "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: http_load/1.0\r\n"
                                    "Accept: */*\r\n\r\n", opt.path, opt.port);
    if (request_size >= sizeof request) die("a path that is too long");
    prepare(opt.timeout);
    run();
    return 0;
}
