/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay: runs a fuzz target where there is no fuzzer: each file of its corpus, then mutations of
 * them. Speaks TAP. With arguments, runs those files alone.
 *
 * All of it happens in a child, in memory shared with the parent: whatever an input does to the
 * child, the parent still has it, and writes it to fuzz-NAME.failed. RB_FUZZ_SEED repeats a run,
 * RB_FUZZ_MS says how long mutations are tried.
 */
#include "config.h"

#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    FILES_MAX = 200,       /* of a corpus; more belong to a fuzzer */
    INPUT_MAX = 64 * 1024, /* octets of one input */
    MUTATIONS = 5000,      /* of all files together */
    MUTATIONS_MS = 1500,   /* fewer where the target is slow; RB_FUZZ_MS */
    CHANGES_MAX = 8,       /* to one input */
    HANG_S = 600,          /* an input that takes longer than all should hangs */
    NAME_SIZE = 4096,
};

struct input {
    char name[NAME_SIZE];
    size_t len;
    uint8_t octets[INPUT_MAX];
};

/* What child and parent share. */
struct shared {
    struct input now; /* the one under way */
    unsigned done;    /* TAP lines printed */
};

static struct shared *shared;
static struct input *corpus;
static size_t corpus_count;

/* --- The corpus ----------------------------------------------------------- */

static bool read_file(const char *path, const char *name)
{
    struct input *input = &corpus[corpus_count];
    FILE *stream = fopen(path, "rb");
    bool fine;

    if (stream == NULL)
        return false;
    (void)snprintf(input->name, sizeof input->name, "%s", name);
    input->len = fread(input->octets, 1, sizeof input->octets, stream);
    fine = ferror(stream) == 0 && fgetc(stream) == EOF; /* all of it */
    (void)fclose(stream);
    corpus_count += fine;
    return fine;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool read_folder(void)
{
    const char *source = getenv("RB_SRCDIR");
    struct dirent **entries = NULL;
    char folder[NAME_SIZE], path[2 * NAME_SIZE];
    bool fine = true;
    int count;

    (void)snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", source != NULL ? source : ".",
                   fuzz_name);
    count = scandir(folder, &entries, is_input, alphasort);
    for (int i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        fine = fine && i < FILES_MAX && read_file(path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return fine && count > 0;
}

/* --- Mutations ------------------------------------------------------------ */

static size_t below(unsigned *seed, size_t limit)
{
    return limit > 0 ? (size_t)rand_r(seed) % limit : 0;
}

static void cut_out(struct input *input, size_t at, size_t len)
{
    memmove(input->octets + at, input->octets + at + len, input->len - at - len);
    input->len -= len;
}

static void put_in(struct input *input, size_t at, const uint8_t *octets, size_t len)
{
    if (len > INPUT_MAX - input->len)
        len = INPUT_MAX - input->len;
    memmove(input->octets + at + len, input->octets + at, input->len - at);
    memcpy(input->octets + at, octets, len);
    input->len += len;
}

/* A piece of any file of the corpus, put in or over what is there. */
static void splice(struct input *input, unsigned *seed)
{
    const struct input *other = &corpus[below(seed, corpus_count)];
    size_t from = below(seed, other->len), at = below(seed, input->len + 1);
    size_t len = 1 + below(seed, other->len - from);

    if (other->len == 0)
        return;
    if (below(seed, 2) == 0)
        cut_out(input, at, below(seed, input->len - at + 1));
    put_in(input, at, other->octets + from, len);
}

static void change(struct input *input, unsigned *seed)
{
    static const uint8_t odd[] = {0, '\n', '\r', ' ', '"', '\\', '<', '@', '.', 0x7f, 0x80, 0xff};
    size_t at = below(seed, input->len);

    switch (input->len > 0 ? below(seed, 6) : 5) {
    case 0:
        input->octets[at] ^= (uint8_t)(1U << below(seed, 8));
        break;
    case 1:
        input->octets[at] = odd[below(seed, sizeof odd)];
        break;
    case 2:
        cut_out(input, at, 1 + below(seed, input->len - at));
        break;
    case 3:
        input->len = at;
        break;
    case 4:
        put_in(input, at, &odd[below(seed, sizeof odd)], 1);
        break;
    default:
        splice(input, seed);
        break;
    }
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- Running -------------------------------------------------------------- */

/* The target gets octets of exactly that size, so that a sanitizer sees a step beyond them. */
static void run(void)
{
    uint8_t *octets = malloc(shared->now.len + 1);

    HOLDS(octets != NULL);
    memcpy(octets + 1, shared->now.octets, shared->now.len);
    (void)LLVMFuzzerTestOneInput(octets + 1, shared->now.len);
    free(octets);
}

static void say_ok(const char *text)
{
    printf("ok %u - %s%s\n", ++shared->done, fuzz_name, text);
    (void)fflush(stdout);
}

static void run_corpus(void)
{
    char text[NAME_SIZE + 1];

    for (size_t i = 0; i < corpus_count; i++) {
        shared->now = corpus[i];
        run();
        (void)snprintf(text, sizeof text, "/%s", corpus[i].name);
        say_ok(text);
    }
}

static int64_t mutations_ms(void)
{
    const char *chosen = getenv("RB_FUZZ_MS");

    return chosen != NULL ? strtoll(chosen, NULL, 10) : MUTATIONS_MS;
}

static void run_mutations(unsigned seed)
{
    int64_t until_ms = now_ms() + mutations_ms();
    unsigned state = seed;
    char text[128];
    int n = 0;

    for (; n < MUTATIONS && now_ms() < until_ms; n++) {
        const struct input *from = &corpus[below(&state, corpus_count)];

        (void)snprintf(shared->now.name, sizeof shared->now.name, "mutation %d of seed %u", n,
                       seed);
        shared->now.len = from->len;
        memcpy(shared->now.octets, from->octets, from->len);
        for (size_t changes = 1 + below(&state, CHANGES_MAX); changes > 0; changes--)
            change(&shared->now, &state);
        run();
    }
    (void)snprintf(text, sizeof text, ": %d mutations, seed %u", n, seed);
    say_ok(text);
}

/* Keeps the input that ended the child. */
static void save_input(void)
{
    char path[NAME_SIZE];
    FILE *stream;

    (void)snprintf(path, sizeof path, "fuzz-%s.failed", fuzz_name);
    stream = fopen(path, "wb");
    if (stream == NULL)
        return;
    if (fwrite(shared->now.octets, 1, shared->now.len, stream) == shared->now.len)
        printf("# the input is in %s\n", path);
    (void)fclose(stream);
}

static int judge(int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    printf("not ok %u - %s/%s\n", shared->done + 1, fuzz_name, shared->now.name);
    if (WIFSIGNALED(status))
        printf("# %s\n", WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
    save_input();
    return 1;
}

static int run_in_child(bool mutate, unsigned seed)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        (void)alarm(HANG_S);
        run_corpus();
        if (mutate)
            run_mutations(seed);
        exit(0); /* and not _exit: leaks are looked for */
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 ? judge(status) : 1;
}

int main(int argc, char **argv)
{
    const char *chosen = getenv("RB_FUZZ_SEED");
    unsigned seed = chosen != NULL ? (unsigned)strtoul(chosen, NULL, 10) : (unsigned)time(NULL);
    bool fine = true;

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    corpus = calloc(FILES_MAX, sizeof *corpus);
    if (shared == MAP_FAILED || corpus == NULL)
        return 99; /* nothing could be tried at all */
    for (int i = 1; i < argc && i <= FILES_MAX; i++)
        fine = read_file(argv[i], argv[i]) && fine;
    if (argc == 1)
        fine = read_folder();
    if (!fine || corpus_count == 0) {
        printf("Bail out! the corpus cannot be read, or is too large\n");
        return 99;
    }
    printf("1..%zu\n# seed %u\n", corpus_count + (argc == 1), seed);
    (void)fflush(stdout);
    return run_in_child(argc == 1, seed);
}
