/* Clients for benchmarks: many kept connections, one process, one epoll, exact times.
 *
 * `load_clients name=value …` sends one prepared request again and again and prints one line of
 * JSON. Times are CLOCK_MONOTONIC, in microseconds.
 *
 *   port=N request=FILE   where to, and the bytes of a whole HTTP request
 *   conns=N count=N       closed loop: each connection sends its next request after an answer
 *   ramp_ms=N             the connections begin spread over so long
 *   rps=N seconds=N       instead of count: an open loop, which does not wait for answers;
 *                         what finds no free connection is counted as `unsent`
 *   timeout_ms=N          a request is given up and its connection closed: `late`
 *   within_ms=N           how many good answers came within so long of their moment, and in an
 *                         open loop before its `seconds` were over: `within` */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000LL
enum { EVENTS = 512, HEAD = 16384 };
enum { SIZE, SIZE_REST, BYTES, AFTER, TRAILER }; /* of a chunked body */

typedef struct {
    int64_t *of;
    size_t count, room;
} Times;

typedef struct {
    int fd, connected, busy, answered;
    int64_t meant, sent, first;
    char head[HEAD];
    size_t head_size;
    int status, chunked, closes, state, done, digits;
    int64_t left, stamp;
} Client;

static int port = 0, conns = 1, within_ms = 2000, timeout_ms = 30000, ramp_ms = 0;
static long count = 0;
static double rps = 0, seconds = 0;
static char *request;
static size_t request_size;

static int poll_fd, timer_fd;
static Client *clients, **idle;
static long idle_count, sent, ended, offered;
static long ok, failed, late, unsent, within, cut, chunks, statuses[600];
static Times latency, refusal, first_chunk, chunk_delay;
static int64_t began, finished, lag;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void note(Times *times, int64_t value) {
    if (times->count == times->room) {
        times->room = times->room ? 2 * times->room : 4096;
        times->of = realloc(times->of, times->room * sizeof *times->of);
    }
    times->of[times->count++] = value;
}

static int ascending(const void *a, const void *b) {
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return (one > other) - (one < other);
}

static void show(const char *name, Times *times) {
    qsort(times->of, times->count, sizeof *times->of, ascending);
    double at[3] = {0.5, 0.99, 1.0}, found[3] = {0, 0, 0};
    for (int n = 0; n < 3 && times->count; n++) {
        size_t place = times->count * at[n];
        found[n] = times->of[place < times->count ? place : times->count - 1] / 1000.0;
    }
    printf(", \"%s\": {\"n\": %zu, \"p50\": %.1f, \"p99\": %.1f, \"max\": %.1f}", name, times->count,
           found[0], found[1], found[2]);
}

/* ── connections ────────────────────────────────────────────────────────────────────────────── */

static void hang_up(Client *client) {
    if (client->fd < 0) return;
    close(client->fd);
    client->fd = -1;
}

/* Without waiting: a full queue of connections must not hold up the other clients. */
static int call(Client *client) {
    int yes = 1;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    client->connected = 0;
    if (client->fd < 0) return 0;
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(port)};
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(client->fd, (void *)&where, sizeof where) && errno != EINPROGRESS) {
        hang_up(client);
        return 0;
    }
    struct epoll_event event = {EPOLLIN | EPOLLOUT, {.ptr = client}};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, client->fd, &event);
    return 1;
}

static void end(Client *client, int good) {
    int64_t moment = now();
    client->busy = 0;
    ended++;
    finished = moment;
    if (good) {
        statuses[client->status]++;
        if (client->status == 200) {
            ok++;
            note(&latency, moment - client->sent);
            int in_time = rps <= 0 || moment - began <= (int64_t)(seconds * 1e9);
            if (in_time && moment - client->meant <= within_ms * MS) within++;
            if (client->chunked && !client->done) cut++;
        } else {
            note(&refusal, moment - client->sent);
        }
    } else if (client->status == 200 && client->chunked) {
        cut++;
    }
    if (!good || client->closes) hang_up(client);
    idle[idle_count++] = client;
}

static void fall(Client *client) {
    if (client->busy) {
        failed++;
        end(client, 0);
    } else hang_up(client);
}

static void speak(Client *client) {
    client->sent = now();
    if (send(client->fd, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size) fall(client);
}

static void send_request(Client *client, int64_t meant) {
    client->head_size = client->status = client->chunked = client->closes = client->done = 0;
    client->state = client->digits = client->answered = 0;
    client->first = client->left = client->stamp = 0;
    client->busy = 1;
    client->meant = meant;
    client->sent = now();
    sent++;
    if (client->fd < 0 && !call(client)) fall(client);
    else if (client->connected) speak(client);
}

static void connected(Client *client) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        fall(client);
        return;
    }
    client->connected = 1;
    struct epoll_event event = {EPOLLIN, {.ptr = client}};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, client->fd, &event);
    if (client->busy) speak(client);
}

/* ── answers ────────────────────────────────────────────────────────────────────────────────── */

/* Marks of the moment of writing, and the end that OpenAI's streams have. */
static void look(Client *client, const char *bytes, size_t size) {
    static const char END[] = "[DONE]";
    for (size_t n = 0; n < size; n++) {
        char c = bytes[n];
        if (client->digits) {
            client->stamp = client->stamp * 10 + (c - '0');
            if (++client->digits == 20) {
                int64_t moment = now();
                note(&chunk_delay, moment - client->stamp);
                if (!client->first) note(&first_chunk, moment - client->sent);
                client->first = moment;
                chunks++;
                client->digits = 0;
            }
        } else if (c == '~') {
            client->digits = 1;
            client->stamp = 0;
        } else if (client->done < 6) {
            client->done = c == END[client->done] ? client->done + 1 : c == '[';
        }
    }
}

/* How many bytes of a chunked body these are; sets `answered` at its end. */
static void take_chunked(Client *client, const char *bytes, size_t size) {
    for (size_t n = 0; n < size && !client->answered;) {
        char c = bytes[n];
        if (client->state == BYTES) {
            size_t part = size - n < (size_t)client->left ? size - n : (size_t)client->left;
            look(client, bytes + n, part);
            client->left -= part;
            n += part;
            if (!client->left) client->state = AFTER;
            continue;
        }
        n++;
        if (client->state == SIZE) {
            if (c == '\n') client->state = client->left ? BYTES : TRAILER;
            else if (c >= '0' && c <= '9') client->left = client->left * 16 + c - '0';
            else if ((c | 32) >= 'a' && (c | 32) <= 'f')
                client->left = client->left * 16 + (c | 32) - 'a' + 10;
        } else if (c == '\n') {
            client->answered = client->state == TRAILER;
            client->state = SIZE;
        }
    }
    if (client->done < 6 && client->answered) client->done = 0;
}

static void take_body(Client *client, const char *bytes, size_t size) {
    if (client->chunked) take_chunked(client, bytes, size);
    else if ((client->left -= size) <= 0) client->answered = 1;
}

static void take(Client *client, const char *bytes, size_t size) {
    if (client->status) {
        take_body(client, bytes, size);
        return;
    }
    size_t room = HEAD - 1 - client->head_size, before = client->head_size;
    size_t part = size < room ? size : room;
    memcpy(client->head + before, bytes, part);
    client->head_size += part;
    client->head[client->head_size] = 0;
    char *finish = strstr(client->head, "\r\n\r\n");
    if (!finish) return;
    *finish = 0;
    sscanf(client->head, "HTTP/1.1 %d", &client->status);
    if (client->status < 200 || client->status > 599) client->status = 599;
    char *length = strcasestr(client->head, "\r\ncontent-length:");
    client->chunked = strcasestr(client->head, "\r\ntransfer-encoding: chunked") != NULL;
    client->closes = strcasestr(client->head, "\r\nconnection: close") != NULL;
    client->left = length && !client->chunked ? strtoll(length + 17, NULL, 10) : 0;
    size_t used = finish + 4 - client->head - before;
    take_body(client, bytes + used, size - used);
}

static void hear(Client *client) {
    static char bytes[262144];
    ssize_t got = recv(client->fd, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        fall(client);
        return;
    }
    if (!client->busy) return;
    take(client, bytes, got);
    if (client->answered) end(client, 1);
}

/* ── the two loops ──────────────────────────────────────────────────────────────────────────── */

static void arm(int64_t due) {
    struct itimerspec when = {.it_value = {due / 1000000000LL, due % 1000000000LL}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Evenly spaced, each moved by up to half a distance, so that no timer of others is in step. */
static int64_t moment_of(long number) {
    uint64_t mixed = (uint64_t)(number + 1) * 0x9E3779B97F4A7C15ULL;
    double jitter = (double)(mixed >> 11) / (1ULL << 53) * 0.5;
    return began + (int64_t)((number + jitter) * 1e9 / rps);
}

static int64_t open_loop(int64_t moment) {
    long whole = rps * seconds;
    while (offered < whole) {
        int64_t due = moment_of(offered);
        if (due > moment) return due;
        if (moment - due > lag) lag = moment - due;
        offered++;
        if (idle_count) send_request(idle[--idle_count], due);
        else unsent++;
    }
    return moment + 20 * MS;
}

static int64_t closed_loop(int64_t moment) {
    while (sent < count && idle_count) {
        int64_t due = sent < conns ? began + ramp_ms * MS * sent / conns : moment;
        if (due > moment) return due;
        send_request(idle[--idle_count], moment);
    }
    return moment + 20 * MS;
}

static void give_up(int64_t moment) {
    static int64_t looked;
    if (moment - looked < 50 * MS) return;
    looked = moment;
    for (int n = 0; n < conns; n++) {
        Client *client = &clients[n];
        if (client->busy && moment - client->sent > timeout_ms * MS) {
            late++;
            end(client, 0);
        }
    }
}

static int over(void) {
    long whole = rps > 0 ? (long)(rps * seconds) : count;
    return (rps > 0 ? offered : sent) >= whole && ended == sent;
}

static void listen_once(int wait_ms) {
    static struct epoll_event events[EVENTS];
    int found = epoll_wait(poll_fd, events, EVENTS, wait_ms);
    for (int n = 0; n < found; n++) {
        Client *client = events[n].data.ptr;
        if ((void *)client == (void *)&timer_fd) {
            uint64_t times;
            if (read(timer_fd, &times, sizeof times) < 0) continue;
        } else if (client->fd >= 0 && !client->connected) connected(client);
        else if (client->fd >= 0) hear(client);
    }
}

/* All connections stand before the first request. */
static void call_all(void) {
    int64_t until = now() + 10000 * MS;
    for (int n = 0; n < conns; n++) {
        call(&clients[n]);
        if (n % 100 == 99) listen_once(5);
    }
    for (int n = 0; n < conns;) {
        if (clients[n].connected || clients[n].fd < 0 || now() > until) n++;
        else listen_once(5);
    }
}

static void run(void) {
    call_all();
    began = finished = now() + MS;
    while (!over()) {
        int64_t moment = now();
        give_up(moment);
        int64_t due = rps > 0 ? open_loop(moment) : closed_loop(moment);
        if (over()) break;
        arm(due);
        listen_once(-1);
    }
}

static void report(void) {
    double took = (finished - began) / 1e9;
    printf("{\"sent\": %ld, \"ok\": %ld, \"failed\": %ld, \"late\": %ld, \"unsent\": %ld", sent, ok,
           failed, late, unsent);
    printf(", \"within\": %ld, \"cut\": %ld, \"chunks\": %ld, \"seconds\": %.4f, \"lag\": %.1f", within,
           cut, chunks, took, lag / 1000.0);
    show("latency", &latency);
    show("refusal", &refusal);
    show("first", &first_chunk);
    show("chunk", &chunk_delay);
    printf(", \"statuses\": {");
    const char *comma = "";
    for (int status = 0; status < 600; status++) {
        if (!statuses[status]) continue;
        printf("%s\"%d\": %ld", comma, status, statuses[status]);
        comma = ", ";
    }
    printf("}}\n");
}

static void load_request(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) exit(2);
    request = malloc(1 << 22);
    request_size = fread(request, 1, 1 << 22, file);
    fclose(file);
}

static void read_word(char *word) {
    char *value = strchr(word, '=');
    if (!value) exit(2);
    *value++ = 0;
    if (!strcmp(word, "port")) port = atoi(value);
    else if (!strcmp(word, "request")) load_request(value);
    else if (!strcmp(word, "conns")) conns = atoi(value);
    else if (!strcmp(word, "count")) count = atol(value);
    else if (!strcmp(word, "ramp_ms")) ramp_ms = atoi(value);
    else if (!strcmp(word, "rps")) rps = atof(value);
    else if (!strcmp(word, "seconds")) seconds = atof(value);
    else if (!strcmp(word, "timeout_ms")) timeout_ms = atoi(value);
    else if (!strcmp(word, "within_ms")) within_ms = atoi(value);
    else exit(2);
}

int main(int words, char **word) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_TIMERSLACK, 1);
    for (int n = 1; n < words; n++) read_word(word[n]);
    if (!port || !request || conns < 1) return 2;
    poll_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event timers = {EPOLLIN, {.ptr = &timer_fd}};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer_fd, &timers);
    clients = calloc(conns, sizeof *clients);
    idle = calloc(conns, sizeof *idle);
    for (int n = conns - 1; n >= 0; n--) {
        clients[n].fd = -1;
        idle[idle_count++] = &clients[n];
    }
    run();
    report();
    return 0;
}
