/* The floor: an echo server for datagrams in C, one recvfrom and one sendto for each.
 *
 * Compiled by the benchmark; by hand: gcc -O2 udp_echo.c -o udp_echo && ./udp_echo PORT
 * One blocking socket is all there is to wait for, so no poller stands in between. A reply that the
 * kernel has no room for is lost, as on the way.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    static char data[65536];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (void *)&address, sizeof address)) {
        perror("udp_echo: bind");
        return 1;
    }
    for (;;) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        ssize_t n = recvfrom(fd, data, sizeof data, 0, (void *)&peer, &size);
        if (n >= 0) sendto(fd, data, (size_t)n, 0, (void *)&peer, size);
    }
}
