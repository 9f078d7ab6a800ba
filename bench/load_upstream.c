/* An engine for benchmarks: answers OpenAI's requests from prepared bytes, at exact moments.
 *
 * `load_upstream PORT`. One process, one epoll. The model that is asked for says how it answers:
 *
 *   aligned   `max_tokens` chunks 20 ms apart, all streams at the same moments (one batch)
 *   spread    the same, each stream at its own moments
 *   engines   the same; the streams belong to 20 engines, each engine's in step
 *   flood     the same number of chunks, all at once
 *   first     5 chunks, the first at once
 *   slots     64 requests at a time, 50 ms each, the others wait in order of arrival
 *   500, 503  this status
 *   die       closes after three chunks
 *   whole     (and everything else that is no stream) at once
 *
 * Each chunk carries the moment at which it was written: "~" and 19 digits, CLOCK_MONOTONIC in ns. */
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
enum { APART = 20, SLOTS = 64, SERVICE = 50, ENGINES = 20, EVENTS = 512 };

typedef struct Link {
    int fd, writing, closed;
    char *in, *out;
    size_t have, room, waiting, out_room;
    int left, die, takes_slot, queued;
    int64_t due; /* 0: no timer */
    long place;  /* in the heap */
    struct Link *next;
} Link;

static int poll_fd, timer_fd, busy;
static Link **heap, *first_waiting, *last_waiting, *gone;
static long heap_size, heap_room;
static int64_t armed;
static unsigned stream_number;

static char whole[4096], piece[512], embedding[512];
static size_t whole_size, piece_size, stamp_at, embedding_size;
static const char STREAM_HEAD[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
static char stream_end[2048];
static size_t stream_end_size;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* ── a heap of links by the moment they are due ─────────────────────────────────────────────── */

static void put(long place, Link *link) {
    heap[place] = link;
    link->place = place;
}

static void rise(long place) {
    Link *link = heap[place];
    while (place && heap[(place - 1) / 2]->due > link->due) {
        put(place, heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(place, link);
}

static void sink(long place) {
    Link *link = heap[place];
    for (;;) {
        long child = 2 * place + 1;
        if (child >= heap_size) break;
        if (child + 1 < heap_size && heap[child + 1]->due < heap[child]->due) child++;
        if (heap[child]->due >= link->due) break;
        put(place, heap[child]);
        place = child;
    }
    put(place, link);
}

static void unschedule(Link *link) {
    if (!link->due) return;
    long place = link->place;
    link->due = 0;
    Link *last = heap[--heap_size];
    if (last == link) return;
    put(place, last);
    rise(place);
    sink(last->place);
}

static void schedule(Link *link, int64_t due) {
    unschedule(link);
    if (heap_size == heap_room) {
        heap_room = heap_room ? 2 * heap_room : 1024;
        heap = realloc(heap, heap_room * sizeof *heap);
    }
    link->due = due;
    put(heap_size++, link);
    rise(heap_size - 1);
}

static void arm(void) {
    int64_t due = heap_size ? heap[0]->due : 0;
    if (due == armed) return;
    armed = due;
    struct itimerspec when = {.it_value = {due / 1000000000LL, due % 1000000000LL}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* ── writing ────────────────────────────────────────────────────────────────────────────────── */

static void watch(Link *link, int writing) {
    if (link->writing == writing) return;
    link->writing = writing;
    struct epoll_event event = {EPOLLIN | (writing ? EPOLLOUT : 0), {.ptr = link}};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, link->fd, &event);
}

static void say(Link *link, const char *bytes, size_t size) {
    if (!link->waiting) {
        ssize_t sent = send(link->fd, bytes, size, MSG_NOSIGNAL);
        if (sent == (ssize_t)size) return;
        if (sent < 0 && errno != EAGAIN) return; /* closed: reading will tell */
        if (sent > 0) bytes += sent, size -= sent;
    }
    if (link->waiting + size > link->out_room) {
        link->out_room = 2 * (link->waiting + size);
        link->out = realloc(link->out, link->out_room);
    }
    memcpy(link->out + link->waiting, bytes, size);
    link->waiting += size;
    watch(link, 1);
}

static void say_more(Link *link) {
    ssize_t sent = send(link->fd, link->out, link->waiting, MSG_NOSIGNAL);
    if (sent <= 0) return;
    link->waiting -= sent;
    memmove(link->out, link->out + sent, link->waiting);
    if (!link->waiting) watch(link, 0);
}

/* ── slots ──────────────────────────────────────────────────────────────────────────────────── */

static void serve_next(void) {
    while (busy < SLOTS && first_waiting) {
        Link *link = first_waiting;
        first_waiting = link->next;
        if (!first_waiting) last_waiting = NULL;
        link->queued = 0;
        link->takes_slot = 1;
        busy++;
        schedule(link, now() + SERVICE * MS);
    }
}

static void wait_for_slot(Link *link) {
    link->next = NULL;
    link->queued = 1;
    if (last_waiting) last_waiting->next = link;
    else first_waiting = link;
    last_waiting = link;
    serve_next();
}

static void leave_queue(Link *leaver) {
    Link *before = NULL;
    for (Link *link = first_waiting; link; before = link, link = link->next) {
        if (link != leaver) continue;
        if (before) before->next = link->next;
        else first_waiting = link->next;
        if (last_waiting == link) last_waiting = before;
        return;
    }
}

static void drop(Link *link) {
    unschedule(link);
    if (link->queued) leave_queue(link);
    if (link->takes_slot) busy--;
    close(link->fd);
    link->closed = 1;
    link->next = gone; /* freed after this turn: events of the same turn may name it */
    gone = link;
    serve_next();
}

/* ── answers ────────────────────────────────────────────────────────────────────────────────── */

static void say_chunk(Link *link) {
    char bytes[sizeof piece], digits[24];
    memcpy(bytes, piece, piece_size);
    snprintf(digits, sizeof digits, "%019lld", (long long)now());
    memcpy(bytes + stamp_at, digits, 19);
    say(link, bytes, piece_size);
}

static void emit(Link *link) {
    int64_t due = link->due;
    unschedule(link);
    if (link->takes_slot) {
        link->takes_slot = 0;
        busy--;
        say(link, whole, whole_size);
        serve_next();
        return;
    }
    if (link->die && link->left <= link->die) {
        drop(link);
        return;
    }
    if (!link->left) {
        say(link, stream_end, stream_end_size);
        return;
    }
    say_chunk(link);
    link->left--;
    schedule(link, due + APART * MS);
}

static void begin_stream(Link *link, const char *mood, int tokens) {
    int64_t moment = now(), step = APART * MS, beat = (moment / step + 1) * step;
    stream_number++;
    say(link, STREAM_HEAD, sizeof STREAM_HEAD - 1);
    link->left = tokens;
    link->die = strcmp(mood, "die") ? 0 : tokens - 3;
    if (!strcmp(mood, "spread")) beat += random() % step;
    if (!strcmp(mood, "engines")) beat += (stream_number % ENGINES) * (step / ENGINES);
    if (!strcmp(mood, "flood"))
        for (; link->left; link->left--) say_chunk(link);
    if (!strcmp(mood, "first")) {
        link->left = 4;
        say_chunk(link);
        beat = moment + step;
    }
    schedule(link, beat);
}

static void refuse(Link *link, const char *status) {
    char bytes[256];
    int size = snprintf(bytes, sizeof bytes,
                        "HTTP/1.1 %s Broken\r\ncontent-type: application/json\r\n"
                        "content-length: 36\r\n\r\n{\"error\":{\"message\":\"engine broke\"}}\n",
                        status);
    say(link, bytes, size);
}

static void answer(Link *link, const char *path, const char *body) {
    char mood[32] = "";
    const char *model = strstr(body, "\"model\""), *tokens = strstr(body, "\"max_tokens\":");
    if (model && (model = strchr(model + 7, '"'))) sscanf(model + 1, "%31[^\"]", mood);
    if (!strcmp(mood, "500") || !strcmp(mood, "503")) refuse(link, mood);
    else if (strstr(body, "\"stream\":true") || strstr(body, "\"stream\": true"))
        begin_stream(link, mood, tokens ? atoi(tokens + 13) : 100);
    else if (!strcmp(mood, "slots")) wait_for_slot(link);
    else if (strstr(path, "/embeddings")) say(link, embedding, embedding_size);
    else say(link, whole, whole_size);
}

/* ── reading ────────────────────────────────────────────────────────────────────────────────── */

static void take_requests(Link *link) {
    for (;;) {
        link->in[link->have] = 0;
        char *end = strstr(link->in, "\r\n\r\n");
        if (!end) return;
        *end = 0;
        char *length = strcasestr(link->in, "\r\ncontent-length:");
        size_t body = length ? strtoul(length + 17, NULL, 10) : 0;
        size_t size = end + 4 - link->in + body;
        if (link->have < size) {
            *end = '\r';
            return;
        }
        char kept = link->in[size];
        link->in[size] = 0;
        char path[128] = "";
        sscanf(link->in, "%*s %127s", path);
        answer(link, path, end + 4);
        link->in[size] = kept;
        link->have -= size;
        memmove(link->in, link->in + size, link->have);
    }
}

static void hear(Link *link) {
    for (;;) {
        if (link->have + 4097 > link->room) {
            link->room = 2 * link->room + 8192;
            link->in = realloc(link->in, link->room);
        }
        size_t room = link->room - link->have - 1;
        ssize_t got = recv(link->fd, link->in + link->have, room, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            drop(link);
            return;
        }
        if (got < 0) return;
        link->have += got;
        take_requests(link);
        if (link->closed || (size_t)got < room) return;
    }
}

static void greet(int door) {
    int fd, yes = 1;
    while ((fd = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        Link *link = calloc(1, sizeof *link);
        link->fd = fd;
        struct epoll_event event = {EPOLLIN, {.ptr = link}};
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

/* ── prepared bytes ─────────────────────────────────────────────────────────────────────────── */

static size_t framed(char *to, const char *text) {
    return sprintf(to, "%zx\r\ndata: %s\n\n\r\n", strlen(text) + 8, text);
}

#define CHUNK "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","

static void prepare(void) {
    char words[800] = "", body[2048];
    for (int n = 0; n < 150; n++) strcat(words, "word ");
    int size = sprintf(body,
                       "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\","
                       "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},"
                       "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":60,"
                       "\"completion_tokens\":100,\"total_tokens\":160}}",
                       words);
    whole_size = sprintf(
        whole, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s",
        size, body);
    piece_size = framed(piece, CHUNK "\"choices\":[{\"index\":0,\"delta\":{\"content\":"
                               "\" ~0000000000000000000\"},\"finish_reason\":null}]}");
    stamp_at = strchr(piece, '~') + 1 - piece;
    char *to = stream_end;
    to += framed(to, CHUNK "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}");
    to += framed(to, CHUNK "\"choices\":[],\"usage\":{\"prompt_tokens\":60,"
                     "\"completion_tokens\":100,\"total_tokens\":160}}");
    to += framed(to, "[DONE]");
    to += sprintf(to, "0\r\n\r\n");
    stream_end_size = to - stream_end;
    const char vectors[] = "{\"object\":\"list\",\"model\":\"m\",\"data\":[{\"object\":\"embedding\","
                           "\"index\":0,\"embedding\":[0.5,-0.25,0.125]}],"
                           "\"usage\":{\"prompt_tokens\":6,\"total_tokens\":6}}";
    embedding_size = sprintf(
        embedding,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s",
        strlen(vectors), vectors);
}

static int listen_at(int port) {
    int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(port)};
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(door, (void *)&where, sizeof where) || listen(door, 4096)) fail("listen");
    return door;
}

static void turn(struct epoll_event *events, int count, int door) {
    for (int n = 0; n < count; n++) {
        Link *link = events[n].data.ptr;
        if (link == NULL) greet(door);
        else if ((void *)link == (void *)&timer_fd) armed = 0;
        else if (!link->closed) {
            if (events[n].events & EPOLLOUT) say_more(link);
            if (events[n].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) hear(link);
        }
    }
    for (int64_t moment = now(); heap_size && heap[0]->due <= moment;) emit(heap[0]);
    while (gone) {
        Link *link = gone;
        gone = link->next;
        free(link->in);
        free(link->out);
        free(link);
    }
    arm();
}

int main(int count, char **words) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_TIMERSLACK, 1);
    srandom(1);
    if (count < 2) return 2;
    prepare();
    int door = listen_at(atoi(words[1]));
    poll_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event doors = {EPOLLIN, {.ptr = NULL}}, timers = {EPOLLIN | EPOLLET, {.ptr = &timer_fd}};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, door, &doors);
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer_fd, &timers);
    struct epoll_event events[EVENTS];
    for (;;) turn(events, epoll_wait(poll_fd, events, EVENTS, -1), door);
}
