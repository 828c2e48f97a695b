/* The floor: an echo server for 4-byte length frames in C, on one level-triggered epoll.
 *
 * Compiled by the benchmark; by hand: gcc -O2 echo.c -o echo && ./echo PORT
 * Each connection has one buffer that grows to the largest frame it met and is used again. Only
 * whole frames are sent back. While a reply does not fit into the socket, nothing more is read.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER = 4, ROOM = 64 * 1024, MOST = 64 * 1024 * 1024 };

struct connection {
    int fd;
    uint8_t *buffer;
    size_t capacity;
    size_t sent, whole, end;  /* sent <= end of the whole frames <= end of what was received */
    bool polls_out;
};

static int poller;

static void drop(struct connection *c) {
    close(c->fd);
    free(c->buffer);
    free(c);
}

/* Move the end of the whole frames forward; false when a length is out of bounds. */
static bool find_frames(struct connection *c) {
    while (c->end - c->whole >= HEADER) {
        uint32_t length;
        memcpy(&length, c->buffer + c->whole, HEADER);
        length = ntohl(length);
        if (length > MOST) return false;
        if (c->end - c->whole < HEADER + (size_t)length) return true;
        c->whole += HEADER + length;
    }
    return true;
}

/* Send the whole frames; true while the connection lives. */
static bool flush_frames(struct connection *c) {
    while (c->sent < c->whole) {
        ssize_t n = send(c->fd, c->buffer + c->sent, c->whole - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) return false;
        c->sent += (size_t)n;
    }
    bool blocked = c->sent < c->whole;
    if (!blocked) {  /* what is left is the start of a frame */
        c->end -= c->whole;
        memmove(c->buffer, c->buffer + c->whole, c->end);
        c->sent = c->whole = 0;
    }
    if (blocked != c->polls_out) {
        c->polls_out = blocked;
        struct epoll_event event = {.events = blocked ? EPOLLOUT : EPOLLIN, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
    }
    return true;
}

static bool serve(struct connection *c) {
    if (c->polls_out) return flush_frames(c);
    if (c->capacity - c->end < ROOM) {
        size_t capacity = c->capacity ? 2 * c->capacity : 2 * ROOM;
        uint8_t *buffer = realloc(c->buffer, capacity);
        if (!buffer) return false;
        c->buffer = buffer;
        c->capacity = capacity;
    }
    ssize_t n = recv(c->fd, c->buffer + c->end, c->capacity - c->end, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return true;
    if (n <= 0) return false;
    c->end += (size_t)n;
    return find_frames(c) && flush_frames(c);
}

static void welcome(int listener) {
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return;
    }
    c->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 1024)) {
        perror("echo: listen");
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) welcome(listener);
            else if (!serve(c)) drop(c);
        }
    }
}
