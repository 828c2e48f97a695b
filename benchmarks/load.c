/* The load generator of the message and api benchmarks: frames with a 4-byte length.
 *
 * Compiled by load.py; by hand:
 *     gcc -O2 -DWITH_TLS load.c -o load -lssl -lcrypto      (TLS is optional)
 *     ./load echo     -p PORT -s BYTES -c CONNECTIONS -k IN_FLIGHT -w WARMUP -d SECONDS [-n MESSAGES] [-t]
 *     ./load call     -p PORT -q REQUEST -a ANSWER, and the options of echo but -s
 *     ./load idle     -p PORT -s BYTES -c CONNECTIONS
 *     ./load segments -p PORT -s BYTES -g SEGMENT
 *
 * echo      keeps IN_FLIGHT messages under way on each connection, for -d seconds or -n messages,
 *           and checks length, first byte and last byte of every reply (they carry a sequence number).
 * call      the same with these messages, in hexadecimal: the request is sent with a number in the place of
 *           its '#', and the answer must have it in the place of its own. Eight of them are decimal digits,
 *           four are 32 bits, big-endian.
 * idle      sends the header and half the payload on each connection and holds them all.
 * segments  sends one message in writes of SEGMENT bytes, while it reads the reply.
 *
 * How it talks to its parent says generator.h.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "generator.h"
#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#else
typedef void SSL;
#endif

enum { HEADER = 4, BATCH = 64 * 1024, SCRATCH = 256 * 1024, PER_ADDRESS = 4000, PACE = 32 };
enum { PATTERN = 256, FIRST_NUMBER = 10000000, NUMBERS = 90000000 };

/* A message of call: its bytes, and where in them the number is. */
struct pattern {
    uint8_t bytes[PATTERN];
    size_t size, at, width;
};

static struct {
    int port, connections, in_flight, timeout;
    size_t size, segment;      /* of the messages that are sent */
    size_t answer_size;        /* of those that come back */
    struct pattern request, answer;
    double warmup, seconds;
    uint64_t messages;
    bool tls, calls;
} opt = {.connections = 1, .in_flight = 1, .timeout = 60, .size = 64, .segment = 1460, .seconds = 2};

struct connection {
    int fd;
    SSL *ssl;
    uint8_t *out;              /* whole frames, built in place and reused */
    size_t out_at, out_end;    /* the unsent part of it */
    uint64_t asked, answered;  /* messages built, replies checked */
    size_t got;                /* bytes of the current reply */
    uint8_t header[HEADER], first;
    uint8_t answer[PATTERN];   /* as much of the current one as has come: call only */
    uint64_t *stamps;          /* when each message in flight was built */
    bool polls_out;
};

static uint8_t scratch[SCRATCH];

/* ---- one connection, in the clear or over TLS ---- */

#ifdef WITH_TLS
static SSL *tls_connect(int fd) {
    static SSL_CTX *context;
    if (!context && !(context = SSL_CTX_new(TLS_client_method()))) die("no TLS context");
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) != 1) die("TLS: %s", ERR_reason_error_string(ERR_get_error()));
    return ssl;
}

static ssize_t tls_result(SSL *ssl, int n) {
    if (n > 0) return n;
    int error = SSL_get_error(ssl, n);
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
    return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}
static ssize_t receive(struct connection *c) {
    if (!c->ssl) return recv(c->fd, scratch, SCRATCH, 0);
    return tls_result(c->ssl, SSL_read(c->ssl, scratch, SCRATCH));
}
static ssize_t transmit(struct connection *c, const void *data, size_t n) {
    if (!c->ssl) return send(c->fd, data, n, MSG_NOSIGNAL);
    return tls_result(c->ssl, SSL_write(c->ssl, data, (int)n));
}
#else
static SSL *tls_connect(int fd) { (void)fd; die("compiled without TLS"); return NULL; }
static ssize_t receive(struct connection *c) { return recv(c->fd, scratch, SCRATCH, 0); }
static ssize_t transmit(struct connection *c, const void *data, size_t n) { return send(c->fd, data, n, MSG_NOSIGNAL); }
#endif

static void nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

static int dial(int index) {
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + index / PER_ADDRESS)};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(opt.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket %d: %s", index, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (void *)&from, sizeof from)) die("bind %d: %s", index, strerror(errno));
    if (connect(fd, (void *)&to, sizeof to)) die("connect %d: %s", index, strerror(errno));
    return fd;
}

static size_t frames_in_out(void) {
    size_t fit = BATCH / (HEADER + opt.size);
    return fit < 1 ? 1 : fit < (size_t)opt.in_flight ? fit : (size_t)opt.in_flight;
}

static void set_up(struct connection *c, int fd) {
    size_t frame = HEADER + opt.size, n = frames_in_out();
    *c = (struct connection){.fd = fd, .out = malloc(n * frame), .stamps = calloc(opt.in_flight, sizeof(uint64_t))};
    if (!c->out || !c->stamps) die("no memory");
    memset(c->out, 'n', n * frame);
    uint32_t length = htonl(opt.size);
    for (size_t i = 0; i < n; i++) {
        memcpy(c->out + i * frame, &length, HEADER);
        if (opt.calls) memcpy(c->out + i * frame + HEADER, opt.request.bytes, opt.size);
    }
}

/* Read the hexadecimal text of a pattern. */
static void parse(struct pattern *p, const char *text) {
    for (; *text; text += 2, p->size++) {
        if (p->size == PATTERN || sscanf(text, "%2hhx", &p->bytes[p->size]) != 1) die("bad pattern");
        if (p->bytes[p->size] != '#') continue;
        if (!p->width++) p->at = p->size;
    }
    if (p->width != 8 && p->width != 4) die("a pattern with a number of %zu bytes", p->width);
}

/* Put the number of a call where it belongs. Its length is always the same. */
static void number(uint8_t *message, const struct pattern *p, uint64_t sequence) {
    uint32_t n = FIRST_NUMBER + (uint32_t)(sequence % NUMBERS);
    for (size_t i = p->width; i--;) {
        message[p->at + i] = p->width == 8 ? (uint8_t)('0' + n % 10) : (uint8_t)n;
        n = p->width == 8 ? n / 10 : n >> 8;
    }
}

/* Build as many messages as may be in flight and fit; only the number, or the first and last byte, differ. */
static void build(struct connection *c, uint64_t now) {
    size_t frame = HEADER + opt.size, n = frames_in_out(), i = 0;
    for (; i < n && c->asked - c->answered < (uint64_t)opt.in_flight; i++, c->asked++) {
        uint8_t *payload = c->out + i * frame + HEADER;
        if (opt.calls) {
            number(payload, &opt.request, c->asked);
        } else {
            payload[opt.size - 1] = (uint8_t)~c->asked;
            payload[0] = (uint8_t)c->asked;
        }
        c->stamps[c->asked % opt.in_flight] = now;
    }
    c->out_at = 0;
    c->out_end = i * frame;
}

static bool right_echo(const struct connection *c, uint8_t last) {
    uint8_t sequence = (uint8_t)c->answered;
    return c->first == sequence && last == (opt.size > 1 ? (uint8_t)~sequence : sequence);
}

static bool right_answer(const struct connection *c) {
    number(opt.answer.bytes, &opt.answer, c->answered);
    return !memcmp(c->answer, opt.answer.bytes, opt.answer.size);
}

/* Check what arrived: any number of replies and parts of replies. */
static void check(struct connection *c, const uint8_t *data, size_t n, uint64_t now) {
    while (n) {
        if (c->got < HEADER) {
            c->header[c->got++] = *data++;
            n--;
            if (c->got < HEADER) continue;
            uint32_t length;
            memcpy(&length, c->header, HEADER);
            if (ntohl(length) != opt.answer_size) die("reply of %u bytes instead of %zu", ntohl(length), opt.answer_size);
            continue;
        }
        if (c->got == HEADER) c->first = *data;
        size_t rest = HEADER + opt.answer_size - c->got, take = n < rest ? n : rest;
        if (opt.calls) memcpy(c->answer + c->got - HEADER, data, take);
        if (take == rest) {
            if (c->answered == c->asked) die("a reply to nothing");
            if (!(opt.calls ? right_answer(c) : right_echo(c, data[take - 1])))
                die("wrong bytes in reply %lu", (unsigned long)c->answered);
            record(now - c->stamps[c->answered % opt.in_flight]);
            c->answered++;
            c->got = 0;
        } else {
            c->got += take;
        }
        data += take;
        n -= take;
    }
}

/* ---- echo and call ---- */

static void want_out(int poller, struct connection *c, bool wanted) {
    if (c->polls_out == wanted) return;
    c->polls_out = wanted;
    struct epoll_event event = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

static void send_more(int poller, struct connection *c, bool sending) {
    for (;;) {
        if (c->out_at == c->out_end) {
            if (sending) build(c, now_ns());
            if (!sending || c->out_at == c->out_end) break;
        }
        ssize_t n = transmit(c, c->out + c->out_at, c->out_end - c->out_at);
        if (n < 0 && errno == EAGAIN) return want_out(poller, c, true);
        if (n <= 0) die("send: %s", n ? strerror(errno) : "closed");
        c->out_at += (size_t)n;
    }
    want_out(poller, c, false);
}

static void read_replies(struct connection *c) {
    for (;;) {
        ssize_t n = receive(c);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) die("the server closed a connection: %s", n ? strerror(errno) : "end of file");
        check(c, scratch, (size_t)n, now_ns());
        if (!c->ssl && n < SCRATCH) return;  /* TLS may hold a record more; a socket tells epoll */
    }
}

/* Send for `seconds` or until `messages` replies, then take in what is in flight. Returns the replies. */
static uint64_t exchange(int poller, struct connection *all, double seconds, uint64_t messages) {
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9), done = 0, under_way = 0;
    bool sending = true;
    struct epoll_event events[256];
    for (int i = 0; i < opt.connections; i++) {
        send_more(poller, &all[i], true);
        under_way += all[i].asked - all[i].answered;
    }
    while (under_way) {
        int n = epoll_wait(poller, events, 256, -1);
        if (sending && (messages ? done >= messages : now_ns() >= end)) sending = false;
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            uint64_t asked = c->asked, answered = c->answered;
            if (events[i].events & ~(uint32_t)EPOLLOUT) read_replies(c);
            send_more(poller, c, sending);
            done += c->answered - answered;
            under_way += (c->asked - asked) - (c->answered - answered);
        }
    }
    return done;
}

static void begin(void) {
    printf("{\"event\":\"begin\",\"connections\":%d}\n", opt.connections);
    wait_for_parent();
    phase = "measuring";
}

static void run_echo(void) {
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct connection *all = calloc((size_t)opt.connections, sizeof *all);
    const char *cipher = "";
    for (int i = 0; i < opt.connections; i++) {
        set_up(&all[i], dial(i));
        if (opt.tls) all[i].ssl = tls_connect(all[i].fd);
        nonblocking(all[i].fd);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        epoll_ctl(poller, EPOLL_CTL_ADD, all[i].fd, &event);
    }
#ifdef WITH_TLS
    if (opt.tls) cipher = SSL_get_cipher_name(all[0].ssl);
#endif
    phase = "warming up";
    if (opt.warmup > 0) exchange(poller, all, opt.warmup, 0);
    begin();
    memset(histogram, 0, sizeof histogram);
    double cpu = own_cpu();
    uint64_t start = now_ns();
    uint64_t done = exchange(poller, all, opt.seconds, opt.messages);
    double seconds = (now_ns() - start) / 1e9;
    printf("{\"event\":\"end\",\"messages\":%lu,\"seconds\":%.6f,\"load_cpu\":%.6f,"
           "\"p50_us\":%.1f,\"p99_us\":%.1f,\"cipher\":\"%s\"}\n",
           (unsigned long)done, seconds, own_cpu() - cpu, percentile(.5), percentile(.99), cipher);
    hold();
}

/* ---- idle ---- */

/* One whole message: its reply shows that every connection made before has been accepted. */
static void round_trip(int fd) {
    uint8_t frame[HEADER + 1] = {0, 0, 0, 1, 'n'};
    if (send(fd, frame, sizeof frame, MSG_NOSIGNAL) != sizeof frame) die("send: %s", strerror(errno));
    if (recv(fd, frame, sizeof frame, MSG_WAITALL) != sizeof frame) die("no reply to a whole message");
}

static void run_idle(void) {
    size_t half = HEADER + opt.size / 2;
    uint8_t *frame = calloc(1, half);
    uint32_t length = htonl(opt.size);
    memcpy(frame, &length, HEADER);
    round_trip(dial(0));
    begin();
    for (int i = 0; i < opt.connections; i++) {
        int fd = dial(i);
        if (i % PACE == PACE - 1) round_trip(fd);
        if (send(fd, frame, half, MSG_NOSIGNAL) != (ssize_t)half) die("send: %s", strerror(errno));
    }
    printf("{\"event\":\"end\",\"connections\":%d}\n", opt.connections);
    hold();
}

/* ---- segments ---- */

static void run_segments(void) {
    struct connection c;
    set_up(&c, dial(0));
    round_trip(c.fd);
    nonblocking(c.fd);
    begin();
    double cpu = own_cpu();
    uint64_t start = now_ns();
    build(&c, start);
    struct pollfd p = {.fd = c.fd};
    while (!c.answered) {
        p.events = POLLIN | (c.out_at < c.out_end ? POLLOUT : 0);
        poll(&p, 1, -1);
        if (p.revents & ~POLLOUT) read_replies(&c);
        if (p.revents & POLLOUT) {
            size_t rest = c.out_end - c.out_at;
            ssize_t n = transmit(&c, c.out + c.out_at, rest < opt.segment ? rest : opt.segment);
            if (n < 0 && errno != EAGAIN) die("send: %s", strerror(errno));
            if (n > 0) c.out_at += (size_t)n;
        }
    }
    printf("{\"event\":\"end\",\"messages\":1,\"seconds\":%.6f,\"load_cpu\":%.6f}\n",
           (now_ns() - start) / 1e9, own_cpu() - cpu);
    hold();
}

int main(int argc, char **argv) {
    int option;
    while ((option = getopt(argc, argv, "p:s:c:k:w:d:n:g:q:a:T:t")) != -1) {
        switch (option) {
        case 'p': opt.port = atoi(optarg); break;
        case 's': opt.size = strtoul(optarg, NULL, 10); break;
        case 'c': opt.connections = atoi(optarg); break;
        case 'k': opt.in_flight = atoi(optarg); break;
        case 'w': opt.warmup = atof(optarg); break;
        case 'd': opt.seconds = atof(optarg); break;
        case 'n': opt.messages = strtoull(optarg, NULL, 10); break;
        case 'g': opt.segment = strtoul(optarg, NULL, 10); break;
        case 'q': parse(&opt.request, optarg); break;
        case 'a': parse(&opt.answer, optarg); break;
        case 'T': opt.timeout = atoi(optarg); break;
        case 't': opt.tls = true; break;
        default: return 2;
        }
    }
    const char *mode = optind < argc ? argv[optind] : "";
    opt.calls = !strcmp(mode, "call");
    if (opt.calls) opt.size = opt.request.size;
    opt.answer_size = opt.calls ? opt.answer.size : opt.size;
    if (!opt.port || !opt.size || !opt.answer_size || opt.connections < 1 || opt.in_flight < 1 || !opt.segment) die("bad option");
    prepare(opt.timeout);
    if (opt.calls || !strcmp(mode, "echo")) run_echo();
    else if (!strcmp(mode, "idle")) run_idle();
    else if (!strcmp(mode, "segments")) run_segments();
    else die("no mode '%s': echo, call, idle or segments", mode);
    return 0;
}
