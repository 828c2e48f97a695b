/* The load generator of the datagram benchmarks: datagrams that come back as they went.
 *
 * Compiled by datagram.py; by hand:
 *     gcc -O2 udp_load.c -o udp_load
 *     ./udp_load echo  -p PORT [-a ADDRESS] -s BYTES -c SOCKETS -k IN_FLIGHT -w WARMUP -d SECONDS
 *     ./udp_load paced -p PORT [-a ADDRESS] -s BYTES -c SOCKETS -r RATE -w WARMUP -d SECONDS
 *
 * echo   keeps IN_FLIGHT datagrams under way on each socket. One that has not come back after
 *        LOST_AFTER is lost, and another takes its place.
 * paced  sends RATE datagrams a second over all sockets, whatever comes back, and takes in what does.
 *        What it could not send in time it sends late, up to the end of the window.
 *
 * The sockets are connected: a reply from any other address than was asked never gets here. Length,
 * the first eight bytes and the last of every reply are checked. The generator sends and receives in
 * batches, to be cheaper than the servers. How it talks to its parent says generator.h.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <getopt.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include "generator.h"

#define MS 1000000ull
#define LOST_AFTER (200 * MS)  /* ns without a reply */
#define SWEEP (20 * MS)        /* between looking for lost ones */
#define QUIET (300 * MS)       /* without a reply: nothing is under way any more */
#define TICK 100000            /* between bursts of paced */
enum { BATCH = 64, RECEIVE_BUFFER = 4 << 20 };

static struct {
    int port, sockets, in_flight, timeout;
    const char *address;
    size_t size;
    double warmup, seconds, rate;
} opt = {.sockets = 1, .in_flight = 1, .timeout = 60, .address = "127.0.0.1", .size = 64, .seconds = 2, .rate = 1000};

struct mark { uint32_t slot, turn; };  /* every datagram begins with one: which it is */

struct slot { uint64_t stamp; uint32_t turn; bool waiting; };

struct client {
    int fd;
    struct slot *slots;
};

static struct client *clients;
static struct mmsghdr in[BATCH], out[BATCH];
static uint64_t sent, answered, lost, late, under_way;
static uint64_t last_reply;  /* when it came; paced only, and no earlier than the last request */

static void lay_out(struct mmsghdr *messages, size_t room) {
    struct iovec *places = calloc(BATCH, sizeof *places);
    uint8_t *data = malloc(BATCH * room);
    if (!places || !data) die("no memory");
    memset(data, 'n', BATCH * room);
    for (int i = 0; i < BATCH; i++) {
        places[i] = (struct iovec){.iov_base = data + i * room, .iov_len = room};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &places[i], .msg_iovlen = 1};
    }
}

static void set_up(void) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(opt.port)};
    if (inet_pton(AF_INET, opt.address, &to.sin_addr) != 1) die("no IPv4 address: %s", opt.address);
    lay_out(out, opt.size);
    lay_out(in, opt.size + 1);  /* a longer reply shows */
    if (!(clients = calloc((size_t)opt.sockets, sizeof *clients))) die("no memory");
    for (int i = 0; i < opt.sockets; i++) {
        struct client *c = &clients[i];
        int room = RECEIVE_BUFFER;
        c->slots = calloc((size_t)opt.in_flight, sizeof *c->slots);
        c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (!c->slots || c->fd < 0) die("socket %d: %s", i, strerror(errno));
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
        if (connect(c->fd, (void *)&to, sizeof to)) die("connect %d: %s", i, strerror(errno));
    }
}

static uint8_t tail_of(struct mark mark) { return (uint8_t)~(mark.slot ^ mark.turn); }

static void build(int place, struct mark mark) {
    uint8_t *data = out[place].msg_hdr.msg_iov->iov_base;
    memcpy(data, &mark, sizeof mark);
    data[opt.size - 1] = tail_of(mark);
}

/* Send what was built. What the kernel has no room for is lost, as on the way. */
static void transmit(struct client *c, int count) {
    for (int done = 0; done < count;) {
        int n = sendmmsg(c->fd, out + done, (unsigned)(count - done), 0);
        if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) break;
        if (n < 0) die("send: %s", strerror(errno));
        done += n;
    }
    sent += (uint64_t)count;
}

/* Receive one batch and check it; returns how many there are. */
static int receive(struct client *c, struct mark *marks) {
    int n = recvmmsg(c->fd, in, BATCH, 0, NULL);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n < 0) die("receive: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        const uint8_t *data = in[i].msg_hdr.msg_iov->iov_base;
        if (in[i].msg_len != opt.size) die("a reply of %s%u bytes instead of %zu",
                                           in[i].msg_len > opt.size ? "at least " : "", in[i].msg_len, opt.size);
        memcpy(&marks[i], data, sizeof *marks);
        if (data[opt.size - 1] != tail_of(marks[i])) die("wrong bytes in a reply");
    }
    return n;
}

/* ---- echo ---- */

static void ask(struct client *c, const uint32_t *slots, int count, uint64_t now) {
    for (int i = 0; i < count; i++) {
        struct slot *slot = &c->slots[slots[i]];
        slot->turn++;
        slot->stamp = now;
        slot->waiting = true;
        build(i, (struct mark){slots[i], slot->turn});
    }
    transmit(c, count);
    under_way += (uint64_t)count;
}

/* Take in one batch of replies; returns how many slots they leave free. */
static int take_in(struct client *c, uint32_t *free_slots) {
    struct mark marks[BATCH];
    int n = receive(c, marks), count = 0;
    uint64_t now = now_ns();
    for (int i = 0; i < n; i++) {
        if (marks[i].slot >= (uint32_t)opt.in_flight) die("a reply to nothing");
        struct slot *slot = &c->slots[marks[i].slot];
        if (!slot->waiting || slot->turn != marks[i].turn) {
            late++;
            continue;
        }
        slot->waiting = false;
        record(now - slot->stamp);
        free_slots[count++] = marks[i].slot;
    }
    answered += (uint64_t)count;
    under_way -= (uint64_t)count;
    return count;
}

/* Give up what is overdue; returns how many slots that leaves free. */
static int sweep(struct client *c, uint32_t *free_slots, uint64_t now) {
    int count = 0;
    for (int i = 0; i < opt.in_flight; i++) {
        struct slot *slot = &c->slots[i];
        if (!slot->waiting || now - slot->stamp < LOST_AFTER) continue;
        slot->waiting = false;
        free_slots[count++] = (uint32_t)i;
    }
    lost += (uint64_t)count;
    under_way -= (uint64_t)count;
    return count;
}

/* Send for some time, then wait until nothing is under way. */
static void exchange(int poller, double seconds) {
    struct epoll_event events[256];
    uint32_t slots[BATCH];
    uint64_t now = now_ns(), end = now + (uint64_t)(seconds * 1e9), sweep_at = now + SWEEP;
    for (int i = 0; i < opt.in_flight; i++) slots[i] = (uint32_t)i;
    for (int i = 0; i < opt.sockets; i++) ask(&clients[i], slots, opt.in_flight, now);
    while (under_way) {
        int n = epoll_wait(poller, events, 256, SWEEP / MS);
        now = now_ns();
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            int count = take_in(c, slots);
            if (count && now < end) ask(c, slots, count, now_ns());
        }
        if (now < sweep_at) continue;
        now = now_ns();  /* later than any stamp */
        sweep_at = now + SWEEP;
        for (int i = 0; i < opt.sockets; i++) {
            int count = sweep(&clients[i], slots, now);
            if (count && now < end) ask(&clients[i], slots, count, now);
        }
    }
}

/* ---- paced ---- */

static void pace(double seconds) {
    struct mark marks[BATCH];
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), first = sent;
    last_reply = end;
    for (uint64_t now = start; now < end || now < last_reply + QUIET; now = now_ns()) {
        uint64_t due = now < end ? first + (uint64_t)((double)(now - start) / 1e9 * opt.rate) : sent;
        for (int i = 0; i < BATCH && sent < due; i++) {
            build(0, (struct mark){0, (uint32_t)sent});
            transmit(&clients[sent % (uint64_t)opt.sockets], 1);
        }
        for (int i = 0; i < opt.sockets; i++) {
            int n = receive(&clients[i], marks);
            answered += (uint64_t)n;
            if (n && now > last_reply) last_reply = now;
        }
        if (sent >= due) nanosleep(&(struct timespec){.tv_nsec = TICK}, NULL);
    }
}

/* ---- the dialogue ---- */

static void begin(void) {
    printf("{\"event\":\"begin\",\"sockets\":%d}\n", opt.sockets);
    wait_for_parent();
    phase = "measuring";
    memset(histogram, 0, sizeof histogram);
    sent = answered = lost = late = 0;
}

static void finish(double seconds, double cpu) {
    printf("{\"event\":\"end\",\"sent\":%lu,\"messages\":%lu,\"lost\":%lu,\"late\":%lu,\"seconds\":%.6f,"
           "\"load_cpu\":%.6f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
           (unsigned long)sent, (unsigned long)answered, (unsigned long)lost, (unsigned long)late, seconds,
           cpu, percentile(.5), percentile(.99));
    hold();
}

static void run_echo(void) {
    int poller = epoll_create1(EPOLL_CLOEXEC);
    set_up();
    for (int i = 0; i < opt.sockets; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
        epoll_ctl(poller, EPOLL_CTL_ADD, clients[i].fd, &event);
    }
    phase = "warming up";
    if (opt.warmup > 0) exchange(poller, opt.warmup);
    begin();
    double cpu = own_cpu();
    uint64_t start = now_ns();
    exchange(poller, opt.seconds);
    finish((double)(now_ns() - start) / 1e9, own_cpu() - cpu);
}

static void run_paced(void) {
    set_up();
    prctl(PR_SET_TIMERSLACK, 1000);  /* the kernel would add 50 us to each tick */
    phase = "warming up";
    if (opt.warmup > 0) pace(opt.warmup);
    begin();
    double cpu = own_cpu();
    uint64_t start = now_ns();
    pace(opt.seconds);
    finish((double)(last_reply - start) / 1e9, own_cpu() - cpu);
}

int main(int argc, char **argv) {
    int option;
    while ((option = getopt(argc, argv, "p:a:s:c:k:r:w:d:T:")) != -1) {
        switch (option) {
        case 'p': opt.port = atoi(optarg); break;
        case 'a': opt.address = optarg; break;
        case 's': opt.size = strtoul(optarg, NULL, 10); break;
        case 'c': opt.sockets = atoi(optarg); break;
        case 'k': opt.in_flight = atoi(optarg); break;
        case 'r': opt.rate = atof(optarg); break;
        case 'w': opt.warmup = atof(optarg); break;
        case 'd': opt.seconds = atof(optarg); break;
        case 'T': opt.timeout = atoi(optarg); break;
        default: return 2;
        }
    }
    const char *mode = optind < argc ? argv[optind] : "";
    if (!opt.port || opt.size <= sizeof(struct mark) || opt.size > 65507 || opt.sockets < 1 || opt.in_flight < 1 ||
        opt.in_flight > BATCH || opt.rate <= 0) die("bad option");
    prepare(opt.timeout);
    if (!strcmp(mode, "echo")) run_echo();
    else if (!strcmp(mode, "paced")) run_paced();
    else die("no mode '%s': echo or paced", mode);
    return 0;
}
