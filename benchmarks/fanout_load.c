/* The load generator of fan-out: one publisher, many subscribers, and the server between them.
 *
 * Compiled by api.py; by hand:
 *     gcc -O2 fanout_load.c -o fanout_load
 *     ./fanout_load rooms   -p PORT -s BYTES -c SUBSCRIBERS -k IN_FLIGHT -w WARMUP -d SECONDS
 *     ./fanout_load redis   the same
 *     ./fanout_load members -p PORT -c MEMBERS
 *
 * rooms    netlab's: JSON-RPC in frames with a 4-byte length. Each subscriber is a connection that
 *          joins the room and subscribes to its messages, without a bound on their number.
 * redis    SUBSCRIBE and PUBLISH, as Redis and Valkey speak them.
 * members  connections that join and subscribe, as in rooms, and then say nothing.
 *
 * The publisher has IN_FLIGHT messages under way: the next one goes out when a message is with all of
 * the subscribers. Each delivery is checked: the text, and that none is missing or out of order.
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

enum { HEADER = 4, ROOM = 64 * 1024, TEXT = 8 * 1024, MAX_IN_FLIGHT = 64, DIGITS = 12 };

static struct {
    int port, connections, in_flight, timeout;
    size_t size;
    double warmup, seconds;
} opt = {.connections = 1, .in_flight = 1, .timeout = 60, .size = 100, .seconds = 2};

struct connection {
    int fd;
    uint64_t seen;  /* deliveries; of the publisher: answers */
    size_t got;     /* bytes of the current one */
    char *part;     /* what has come of it, when a read ended within it */
};

static bool redis;
static char scratch[2 * ROOM], text[TEXT];
static struct connection *all, publisher;
static uint64_t published, delivered, stamps[MAX_IN_FLIGHT];
static int waiting[MAX_IN_FLIGHT];  /* subscribers that have not got a message in flight yet */

/* ---- what is said, and how it is cut ---- */

/* Send one request: JSON in a frame, or a command of Redis as it is. */
__attribute__((format(printf, 2, 3)))
static void say(struct connection *c, const char *format, ...) {
    static char message[HEADER + 2 * TEXT];
    va_list arguments;
    va_start(arguments, format);
    size_t n = (size_t)vsnprintf(message + HEADER, sizeof message - HEADER, format, arguments);
    va_end(arguments);
    uint32_t length = htonl((uint32_t)n);
    memcpy(message, &length, HEADER);
    size_t start = redis ? HEADER : 0, size = HEADER + n - start;
    if (send(c->fd, message + start, size, MSG_NOSIGNAL) != (ssize_t)size) die("send: %s", strerror(errno));
}

/* The bytes of the first thing in data; 0 when it is not there whole. */
static size_t cut(const struct connection *c, const char *data, size_t n) {
    if (!redis) {
        uint32_t length;
        if (n < HEADER) return 0;
        memcpy(&length, data, HEADER);
        if (HEADER + ntohl(length) > ROOM) die("a message of %u bytes", ntohl(length));
        return n >= HEADER + ntohl(length) ? HEADER + ntohl(length) : 0;
    }
    if (c == &publisher) {
        const char *end = memchr(data, '\n', n);
        return end ? (size_t)(end + 1 - data) : 0;
    }
    static size_t size;  /* a delivery of Redis is as long as any other */
    if (!size) size = (size_t)snprintf(NULL, 0, "*3\r\n$7\r\nmessage\r\n$3\r\nlab\r\n$%zu\r\n", opt.size) + opt.size + 2;
    return n >= size ? size : 0;
}

static void write_text(uint64_t sequence) {
    char digits[DIGITS + 1];
    snprintf(digits, sizeof digits, "%0*lu", DIGITS, (unsigned long)sequence);
    memcpy(text, digits, DIGITS);
}

static void publish(void) {
    write_text(published);
    waiting[published % opt.in_flight] = opt.connections;
    stamps[published % opt.in_flight] = now_ns();
    if (redis) say(&publisher, "*3\r\n$7\r\nPUBLISH\r\n$3\r\nlab\r\n$%zu\r\n%s\r\n", opt.size, text);
    else say(&publisher, "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"method\":\"publish\",\"params\":[\"lab\",\"%s\"]}",
             (unsigned long)published, text);
    published++;
}

/* One thing has come whole. */
static void take(struct connection *c, const char *data, size_t n, uint64_t now) {
    if (c == &publisher) {
        if (redis ? *data != ':' : !memmem(data, n, "\"result\":", 9)) die("not published: %.*s", (int)n, data);
        c->seen++;
        return;
    }
    size_t tail = redis ? 2 : 4;  /* the end of a line; of a text, a message, params and a notification */
    if (c->seen == published) die("a delivery of nothing");
    write_text(c->seen);
    if (n < opt.size + tail || memcmp(data + n - tail - opt.size, text, opt.size))
        die("a wrong delivery in place of %lu: %.*s", (unsigned long)c->seen, (int)n, data);
    record(now - stamps[c->seen % opt.in_flight]);
    waiting[c->seen % opt.in_flight]--;
    c->seen++;
    delivered++;
}

static void receive(struct connection *c) {
    if (c->got) memcpy(scratch, c->part, c->got);
    ssize_t came = recv(c->fd, scratch + c->got, ROOM, MSG_DONTWAIT);
    if (came < 0 && errno == EAGAIN) return;
    if (came <= 0) die("the server closed a connection: %s", came ? strerror(errno) : "end of file");
    uint64_t now = now_ns();
    size_t n = c->got + (size_t)came, at = 0, size;
    while ((size = cut(c, scratch + at, n - at))) {
        take(c, scratch + at, size, now);
        at += size;
    }
    c->got = n - at;
    if (!c->got) return;
    if (!c->part && !(c->part = malloc(ROOM))) die("no memory");
    memcpy(c->part, scratch + at, c->got);
}

/* ---- connections ---- */

static void dial(struct connection *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(opt.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (void *)&to, sizeof to)) die("connect: %s", strerror(errno));
}

/* Wait for the answer to a request. */
static void answered(struct connection *c) {
    char data[1024];
    size_t got = 0;
    for (;;) {
        ssize_t n = recv(c->fd, data + got, sizeof data - got, 0);
        if (n <= 0) die("the server closed a connection: %s", n ? strerror(errno) : "end of file");
        got += (size_t)n;
        if (redis ? got > 4 && !memcmp(data + got - 4, ":1\r\n", 4) : cut(c, data, got) == got) break;
        if (got == sizeof data) die("too long an answer");
    }
    if (!redis && !memmem(data, got, "\"result\":", 9)) die("an error: %.*s", (int)got - HEADER, data + HEADER);
}

static void join(struct connection *c, const char *name, int number) {
    dial(c);
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"join\",\"params\":[\"lab\",\"%s%d\"]}", name, number);
    answered(c);
}

static void subscribe(struct connection *c, int number) {
    if (redis) {
        dial(c);
        say(c, "SUBSCRIBE lab\r\n");
    } else {
        join(c, "member", number);
        say(c, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"messages\",\"params\":[\"lab\"]}");
    }
    answered(c);
}

static void begin(void) {
    printf("{\"event\":\"begin\",\"connections\":%d}\n", opt.connections);
    wait_for_parent();
}

/* ---- fan-out ---- */

/* Publish for `seconds`, then take in what is under way. Returns the deliveries. */
static uint64_t exchange(int poller, double seconds) {
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9), before = delivered;
    struct epoll_event events[256];
    bool publishing = true;
    for (int i = 0; i < opt.in_flight; i++) publish();
    while (delivered < published * (uint64_t)opt.connections || publisher.seen < published) {
        int ready = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < ready; i++) receive(events[i].data.ptr);
        publishing = publishing && now_ns() < end;
        while (publishing && !waiting[published % opt.in_flight]) publish();
    }
    return delivered - before;
}

static void run_fanout(void) {
    int poller = epoll_create1(EPOLL_CLOEXEC);
    memset(text, 'n', opt.size);
    if (redis) dial(&publisher);
    else join(&publisher, "publisher", 0);
    for (int i = 0; i <= opt.connections; i++) {
        struct connection *c = i < opt.connections ? &all[i] : &publisher;
        if (c != &publisher) subscribe(c, i);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
    }
    phase = "warming up";
    exchange(poller, opt.warmup);
    begin();
    phase = "measuring";
    memset(histogram, 0, sizeof histogram);
    double cpu = own_cpu();
    uint64_t start = now_ns();
    uint64_t done = exchange(poller, opt.seconds);
    double seconds = (now_ns() - start) / 1e9;
    printf("{\"event\":\"end\",\"messages\":%lu,\"seconds\":%.6f,\"load_cpu\":%.6f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
           (unsigned long)done, seconds, own_cpu() - cpu, percentile(.5), percentile(.99));
    hold();
}

/* ---- members ---- */

static void run_members(void) {
    struct connection first = {0};
    subscribe(&first, opt.connections);  /* what the server needs once, it has then */
    begin();
    phase = "joining";
    for (int i = 0; i < opt.connections; i++) subscribe(&all[i], i);
    printf("{\"event\":\"end\",\"connections\":%d}\n", opt.connections);
    hold();
}

int main(int argc, char **argv) {
    int option;
    while ((option = getopt(argc, argv, "p:s:c:k:w:d:T:")) != -1) {
        switch (option) {
        case 'p': opt.port = atoi(optarg); break;
        case 's': opt.size = strtoul(optarg, NULL, 10); break;
        case 'c': opt.connections = atoi(optarg); break;
        case 'k': opt.in_flight = atoi(optarg); break;
        case 'w': opt.warmup = atof(optarg); break;
        case 'd': opt.seconds = atof(optarg); break;
        case 'T': opt.timeout = atoi(optarg); break;
        default: return 2;
        }
    }
    const char *mode = optind < argc ? argv[optind] : "";
    if (!opt.port || opt.connections < 1 || opt.in_flight < 1 || opt.in_flight > MAX_IN_FLIGHT) die("bad option");
    if (opt.size < DIGITS || opt.size >= TEXT) die("a text has %d to %d bytes", DIGITS, TEXT - 1);
    prepare(opt.timeout);
    if (!(all = calloc((size_t)opt.connections, sizeof *all))) die("no memory");
    redis = !strcmp(mode, "redis");
    if (redis || !strcmp(mode, "rooms")) run_fanout();
    else if (!strcmp(mode, "members")) run_members();
    else die("no mode '%s': rooms, redis or members", mode);
    return 0;
}
