/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tool: `ringback` as it is typed: the program itself, with a configuration and a cache of its own.
 * Asks nobody: there is no daemon, and no name server answers.
 */
#include "config.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { WORDS_MAX = 24, TEXT_MAX = 65536, GENEROUS_MS = 60000 };

static const char program[] = "./ringback"; /* tests run where it is built */

static const char configuration[] = "control = \"%s/control.sock\"\n"
                                    "hostname = \"mx.example.net\"\n"
                                    "resolvers = { \"127.0.0.1:9\" }\n"
                                    "cache { store = \"lmdb:%s/cache\" }\n";

/* Its numbers are the seconds of now, but for what has expired. */
static const char records[] =
    "{\"type\":\"address\",\"address\":\"alice@example.org\",\"reason\":\"accepted\","
    "\"stamp_s\":NOW}\n"
    "{\"type\":\"address\",\"address\":\"bob@example.org\",\"reason\":\"no_such_user\","
    "\"stamp_s\":NOW}\n"
    "{\"type\":\"address\",\"address\":\"bob@example.org\",\"relay\":\"192.0.2.7:25\","
    "\"reason\":\"accepted\",\"stamp_s\":NOW}\n"
    "{\"type\":\"address\",\"address\":\"bob@example.org\",\"relay\":\"mx:\","
    "\"reason\":\"no_such_user\",\"stamp_s\":NOW}\n"
    "{\"type\":\"address\",\"address\":\"bob@example.org\",\"reason\":\"correspondent\","
    "\"stamp_s\":NOW}\n"
    "{\"type\":\"retry\",\"address\":\"rita@example.net\",\"relay\":\"192.0.2.7:25\","
    "\"reason\":\"greylisted\",\"first_s\":NOW,\"due_s\":NOW,\"tries\":1}\n"
    "{\"type\":\"address\",\"address\":\"rita@example.net\",\"relay\":\"192.0.2.7:25\","
    "\"reason\":\"no_such_user\",\"stamp_s\":NOW}\n"
    "{\"type\":\"address\",\"address\":\"prvs=4123456789=tess@example.net\","
    "\"reason\":\"accepted\",\"stamp_s\":NOW}\n"
    "{\"type\":\"fold\",\"kind\":\"batv\",\"fold\":\"prvs=\\u001a=tess@example.net\","
    "\"valids\":1,\"valid_s\":NOW,\"invalid_s\":0}\n"
    "{\"type\":\"address\",\"address\":\"carol@example.com\",\"reason\":\"accepted\","
    "\"stamp_s\":1000000000}\n"
    "{\"type\":\"domain\",\"domain\":\"example.org\",\"catch_all\":{\"state\":\"no\","
    "\"stamp_s\":NOW}}\n"
    "{\"type\":\"domain\",\"domain\":\"example.org\",\"relay\":\"192.0.2.7:25\","
    "\"catch_all\":{\"state\":\"yes\",\"stamp_s\":NOW}}\n"
    "{\"type\":\"host\",\"ip\":\"2001:DB8::1\",\"failures\":2,\"stamp_s\":NOW,"
    "\"reason\":\"blocked\"}\n"
    "{\"type\":\"host\",\"ip\":\"192.0.2.1#2525\",\"failures\":2,\"stamp_s\":NOW,"
    "\"reason\":\"unreachable\"}\n"
    "{\"type\":\"host\",\"ip\":\"unix:/run/store\",\"failures\":2,\"stamp_s\":NOW,"
    "\"reason\":\"unreachable\"}\n"
    "{\"type\":\"host\",\"ip\":\"192.0.2.1\",\"failures\":2,\"trips\":0,\"held_until_s\":0,"
    "\"stamp_s\":NOW,\"reason\":\"blocked\"}\n";

struct site {
    char folder[64], config[96], data[96], said[96];
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The caller's (free). *len may be NULL. */
static char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "r");
    struct stat status;
    char *text;

    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &status), 0);
    text = malloc((size_t)status.st_size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)status.st_size, file), (size_t)status.st_size);
    text[status.st_size] = '\0';
    if (len != NULL)
        *len = (size_t)status.st_size;
    (void)fclose(file);
    return text;
}

/* --- Running it ----------------------------------------------------------- */

/* Blanks divide words. '' is an empty one. */
static void split(char *line, char *words[WORDS_MAX], size_t *count)
{
    for (line += strspn(line, " "); *line != '\0'; line += strspn(line, " ")) {
        char *word = line;

        line += strcspn(line, " ");
        if (*line != '\0')
            *line++ = '\0';
        assert_true(*count < WORDS_MAX - 1);
        words[(*count)++] = strcmp(word, "''") == 0 ? word + 2 : word;
    }
    words[*count] = NULL;
}

enum { NOBODY = 65534 };

/* In the child. Root may do everything: it becomes somebody else. */
static void give_up_rights(void)
{
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        _exit(124);
}

static bool without_rights; /* the next ones run so */

/*
 * Runs `ringback VERB -c CONFIG ...`, without -c where configured is false, with that standard
 * input and standard error. Returns its exit status; what it said on standard output is in
 * site->said.
 */
static int run_between(const struct site *site, const char *line, bool configured, int in, int err)
{
    size_t verb = strcspn(line, " "), count = 0;
    char text[512], *words[WORDS_MAX];
    int status, said, built = open(program, O_RDONLY | O_CLOEXEC);
    pid_t child;

    assert_true(built >= 0); /* by its path somebody else might not find it */
    assert_true((size_t)snprintf(text, sizeof text, "%s %.*s%s%s%s", program, (int)verb, line,
                                 configured ? " -c " : "", configured ? site->config : "",
                                 line + verb) < sizeof text);
    split(text, words, &count);
    said = open(site->said, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    assert_true(said >= 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (dup2(in, 0) < 0 || dup2(said, 1) < 0 || dup2(err >= 0 ? err : said, 2) < 0)
            _exit(125);
        if (without_rights)
            give_up_rights();
        (void)fexecve(built, words, environ);
        _exit(126);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    close(said);
    close(built);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The same with a file's octets as its input; what it said on both outputs is in site->said. */
static int run_with(const struct site *site, const char *line, bool configured, const char *input)
{
    int in = open(input, O_RDONLY | O_CLOEXEC), status;

    assert_true(in >= 0);
    status = run_between(site, line, configured, in, -1);
    close(in);
    return status;
}

/* The same on a terminal, at which somebody types that line. */
static int run_on_terminal(const struct site *site, const char *line, const char *typed)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), other_end, status;

    assert_true(terminal >= 0);
    assert_int_equal(grantpt(terminal), 0);
    assert_int_equal(unlockpt(terminal), 0);
    other_end = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(other_end >= 0);
    assert_int_equal(write(terminal, typed, strlen(typed)), strlen(typed));
    status = run_between(site, line, true, other_end, other_end);
    close(other_end);
    close(terminal);
    return status;
}

static int run(const struct site *site, const char *line)
{
    return run_with(site, line, true, "/dev/null");
}

static void fill(const struct site *site)
{
    char path[96], text[4096];
    const char *from = records, *mark;
    size_t len = 0;

    for (; (mark = strstr(from, "NOW")) != NULL; from = mark + 3)
        len += (size_t)snprintf(text + len, sizeof text - len, "%.*s%lld", (int)(mark - from), from,
                                (long long)time(NULL));
    (void)snprintf(text + len, sizeof text - len, "%s", from);
    (void)snprintf(path, sizeof path, "%s/records", site->folder);
    write_file(path, text);
    assert_int_equal(run_with(site, "cache import", true, path), 0);
}

static int set_up(void **state)
{
    static struct site site;
    char text[512];

    (void)snprintf(site.folder, sizeof site.folder, "/tmp/test_tool.XXXXXX");
    assert_non_null(mkdtemp(site.folder));
    (void)snprintf(site.config, sizeof site.config, "%s/conf", site.folder);
    (void)snprintf(site.data, sizeof site.data, "%s/cache/data.mdb", site.folder);
    (void)snprintf(site.said, sizeof site.said, "%s/said", site.folder);
    (void)snprintf(text, sizeof text, configuration, site.folder, site.folder);
    write_file(site.config, text);
    fill(&site);
    *state = &site;
    return 0;
}

static int tear_down(void **state)
{
    const struct site *site = *state;
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", site->folder);
    return system(command);
}

/* The cache's octets. */
struct snapshot {
    char *octets;
    size_t len;
};

static struct snapshot take_snapshot(const struct site *site)
{
    struct snapshot snapshot;

    snapshot.octets = read_file(site->data, &snapshot.len);
    return snapshot;
}

/* Fails where the cache has changed since. */
static void assert_untouched(const struct site *site, struct snapshot *before)
{
    struct snapshot now = take_snapshot(site);

    assert_int_equal(now.len, before->len);
    assert_memory_equal(now.octets, before->octets, now.len);
    free(now.octets);
    free(before->octets);
}

static void assert_said(const struct site *site, const char *words)
{
    char *text = read_file(site->said, NULL);

    if (strstr(text, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, text);
    free(text);
}

static void assert_not_said(const struct site *site, const char *words)
{
    char *text = read_file(site->said, NULL);

    if (strstr(text, words) != NULL)
        fail_msg("\"%s\" is in: %s", words, text);
    free(text);
}

/* --- The matrix ----------------------------------------------------------- */

/* Every option there is, with a value that is fit for it. */
static const char *const options[] = {
    "-c /nowhere",
    "--all",
    "--authenticated",
    "--client 192.0.2.1",
    "--control /nowhere",
    "--domain example.org",
    "--expired",
    "--from <>",
    "--helo x",
    "--host 192.0.2.1",
    "--json",
    "--kind host",
    "--limit 1",
    "--no-cache",
    "--relay mx:",
    "--resume /dev/null",
    "--size 4711",
    "--to a@example.org",
    "--transcript",
    "--verdict valid",
    "--nonsense",
    "-x",
    "--expire",
};

static const struct {
    const char *words; /* with what it cannot do without */
    const char *takes; /* beside -c: options, each behind a blank */
} verbs[] = {
    {"verify -", " --json --no-cache --relay --resume --size --transcript"},
    {"explain --client 192.0.2.1 --helo x --from <> --to a@example.org",
     " --client --helo --from --to --authenticated --size"},
    {"cache get alice@example.org", " --json --relay"},
    {"cache list", " --domain --json --kind --limit --verdict"},
    {"cache delete alice@example.org", " --domain --host --relay"},
    {"cache purge --expired", " --all --expired"},
    {"cache export", ""},
    {"cache import", ""},
    {"cache stats", " --json"},
    {"status", " --control --json"},
    {"reload", " --control"},
    {"config", ""},
    {"spf --client 192.0.2.1 --from <a@example.org>", " --client --from --helo"},
    {"verbs 127.0.0.1:1", " --json"},
};

static bool takes(size_t verb, const char *option)
{
    char name[64];
    const char *found;
    size_t len;

    (void)snprintf(name, sizeof name, " %.*s", (int)strcspn(option, " "), option);
    found = strstr(verbs[verb].takes, name);
    len = strlen(name);
    return found != NULL && (found[len] == ' ' || found[len] == '\0');
}

static void an_option_that_is_not_the_verbs_is_usage_and_does_nothing(void **state)
{
    const struct site *site = *state;
    struct snapshot before = take_snapshot(site);
    char line[512];

    for (size_t v = 0; v < COUNT(verbs); v++)
        for (size_t o = 1; o < COUNT(options); o++) {
            if (takes(v, options[o]))
                continue;
            (void)snprintf(line, sizeof line, "%s %s", verbs[v].words, options[o]);
            if (run(site, line) != EX_USAGE)
                fail_msg("taken: %s", line);
            assert_said(site, "usage: ringback");
        }
    assert_untouched(site, &before);
}

static void an_option_given_twice_is_usage_and_does_nothing(void **state)
{
    const struct site *site = *state;
    struct snapshot before = take_snapshot(site);
    char line[512];

    for (size_t v = 0; v < COUNT(verbs); v++)
        for (size_t o = 1; o < COUNT(options); o++) {
            if (!takes(v, options[o]))
                continue;
            (void)snprintf(line, sizeof line, "%s %s %s", verbs[v].words, options[o], options[o]);
            if (run(site, line) != EX_USAGE)
                fail_msg("taken: %s", line);
        }
    assert_untouched(site, &before);
}

/* So it may stand in an alias. */
static void of_two_configurations_the_last_counts(void **state)
{
    const struct site *site = *state;

    assert_int_equal(run(site, "config -c /nowhere"), EX_CONFIG); /* run() gives the other first */
    assert_said(site, "/nowhere");
}

static void what_makes_no_sense_is_usage_and_does_nothing(void **state)
{
    static const char *const lines[] = {
        "",
        "nonsense",
        "--version x",
        "help nonsense",
        "help cache x",
        "cache",
        "cache nonsense",
        "cache --domain example.org", /* the action is missing */
        "cache get",
        "cache list x",
        "cache list --limit 0",
        "cache list --limit -1",
        "cache list --limit +1",
        "cache list --limit 1x",
        "cache list --limit ''",
        "cache list --limit 18446744073709551616",
        "cache list --domain ''",
        "cache list --domain a..b",
        "cache list --verdict good",
        "cache list --json=yes",
        "cache list --kind mail",
        "cache list --kind host --verdict valid",
        "cache list --kind all --verdict valid",
        "cache list --kind host --domain example.org",
        "cache get alice@",
        "cache get example..org",
        "cache get alice@example.org --relay ,",
        "cache delete",
        "cache delete alice@example.org nonsense",
        "cache delete example.org",
        "cache delete --host bla",
        "cache delete --host 192.0.2.1#",
        "cache delete --host mx.example.org",
        "cache delete --domain example.org --relay 192.0.2.7:25",
        "cache delete alice@example.org --relay ,",
        "cache delete alice@example.org --domain example.org",
        "cache delete alice@example.org --host 192.0.2.1",
        "cache delete --domain example.org --host 192.0.2.1",
        "cache purge", /* nobody can be asked */
        "cache purge --all --expired",
        "cache purge alice@example.org",
        "cache stats x",
        "cache export x",
        "cache import x",
        "verify",
        "verify - -",
        "verify alice@example.org --resume /dev/null",
        "verify alice@example.org --relay ,",
        "verify alice@example.org --relay ''",
        "verify alice@example.org --size 4711",
        "verify alice@example.org --relay mx: --size 0",
        "verify alice@example.org --relay mx: --size 4k",
        "explain --client 192.0.2.1 --helo x --from <> --to a@example.org --size -1",
        ("explain --client 192.0.2.1 --helo x --from <> --to a@example.org "
         "--size 9223372036854775808"),
        "explain",
        "explain --client 192.0.2.1 --helo x --from <>",
        "explain --client 192.0.2 --helo x --from <> --to a@example.org",
        "explain --client 192.0.2.1 --helo x --from <> --to a@example.org more",
        "verbs",
        "verbs 127.0.0.1:1 127.0.0.1:2",
        "verbs --transcript 127.0.0.1:1",
        "status x",
        "status -c /nowhere --control /nowhere",
        "status --control ''",
        "reload x",
        "config x",
    };
    const struct site *site = *state;
    struct snapshot before = take_snapshot(site);

    for (size_t i = 0; i < COUNT(lines); i++)
        if (run_with(site, lines[i], strstr(lines[i], "cache ") == lines[i], "/dev/null") !=
            EX_USAGE)
            fail_msg("taken: %s", lines[i]);
    assert_untouched(site, &before);
}

static void what_is_the_verbs_is_taken(void **state)
{
    static const struct {
        const char *line;
        int status;
    } lines[] = {
        {"cache get alice@example.org --json", 0},
        {"cache --json get alice@example.org", 0},
        {"cache get dora@example.org", EX_NOUSER},
        {"cache get -- alice@example.org", 0},
        {"cache list --domain example.org --verdict=valid --limit 1 --json", 0},
        {"cache --limit 1 list", 0},
        {"cache stats --json", 0},
        {"cache export", 0},
        {"cache import", 0},
        {"cache delete alice@example.org", 0},
        {"cache delete --domain example.org", 0},
        {"cache delete --host 192.0.2.1", 0},
        {"cache purge --expired", 0},
        {"cache purge --all", 0},
        {"config", 0},
        {"status --json", EX_UNAVAILABLE},
        {"reload", EX_UNAVAILABLE},
        {"verbs 127.0.0.1:1", EX_UNAVAILABLE}, /* nobody listens there */
        {"verbs --json 127.0.0.1:1", EX_UNAVAILABLE},
        {"verify --json --no-cache --transcript --relay mx: nobody", EX_NOUSER},
        {"explain --client 192.0.2.1 --helo x --from <> --to a@example.org --authenticated", 0},
    };
    const struct site *site = *state;

    for (size_t i = 0; i < COUNT(lines); i++) {
        int status = run(site, lines[i].line);

        if (status != lines[i].status)
            fail_msg("%s: %d, not %d: %s", lines[i].line, status, lines[i].status,
                     read_file(site->said, NULL));
    }
    fill(site);
}

static void each_verbs_help_names_all_its_options(void **state)
{
    const struct site *site = *state;
    char line[512], *end;

    for (size_t v = 0; v < COUNT(verbs); v++) {
        (void)snprintf(line, sizeof line, "%s", verbs[v].words);
        end = strchr(line, ' ');
        if (end != NULL && strncmp(line, "cache", 5) == 0)
            end = strchr(end + 1, ' ');
        (void)snprintf(end != NULL ? end : line + strlen(line), 8, " --help");
        assert_int_equal(run_with(site, line, false, "/dev/null"), 0);
        assert_said(site, "-c FILE");
        for (size_t o = 1; o < COUNT(options); o++)
            if (takes(v, options[o])) {
                (void)snprintf(line, sizeof line, "  %.*s ", (int)strcspn(options[o], " "),
                               options[o]);
                assert_said(site, line);
            }
    }
}

/* --- The configuration ---------------------------------------------------- */

/* A daemon that gives every request the same answer, so many times. */
static pid_t answer_at(const char *path, const char *answer, unsigned times)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t child;

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    (void)unlink(path);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 16), 0);
    child = fork();
    assert_true(child >= 0);
    if (child > 0) {
        close(listener);
        return child;
    }
    for (unsigned i = 0; i < times; i++) {
        char request[4096];
        int fd = accept(listener, NULL, NULL);

        if (fd < 0 || recv(fd, request, sizeof request, 0) < 0 ||
            send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0)
            _exit(1);
        close(fd);
    }
    _exit(unlink(path));
}

static void assert_ended_well(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void what_is_wrong_elsewhere_is_no_verbs_concern(void **state)
{
    static const struct {
        const char *line;
        int status;
        bool warns;
    } lines[] = {
        {"status", 0, false},
        {"reload", 0, false},
        {"cache get alice@example.org", 0, true},
        {"cache stats", 0, true},
        {"verify nobody", EX_NOUSER, true},
        {"explain --client 192.0.2.1 --helo x --from <> --to a@example.org", EX_CONFIG, false},
        {"config", EX_CONFIG, false},
    };
    struct site site = *(const struct site *)*state;
    char text[1024], control[96];
    pid_t daemon;

    (void)snprintf(control, sizeof control, "%s/control.sock", site.folder);
    (void)snprintf(site.config, sizeof site.config, "%s/broken", site.folder);
    (void)snprintf(text, sizeof text,
                   "policy \"x\" { on_invalid = maybe }\ncontrol = \"%s\"\n"
                   "hostname = mx.example.net cache { store = \"lmdb:%s/cache\" }",
                   control, site.folder);
    write_file(site.config, text);
    daemon = answer_at(control, "{\"ok\": true, \"message\": \"taken\"}\n", 2);
    for (size_t i = 0; i < COUNT(lines); i++) {
        if (run(&site, lines[i].line) != lines[i].status)
            fail_msg("%s: not %d: %s", lines[i].line, lines[i].status, read_file(site.said, NULL));
        if (lines[i].warns)
            assert_said(&site, "broken:1: policy \"x\": on_invalid: ");
    }
    assert_ended_well(daemon);
}

/* Another store than the one that is written there must not be taken for it. */
static void what_is_wrong_where_it_matters_is_refused(void **state)
{
    struct site site = *(const struct site *)*state;
    struct snapshot before = take_snapshot(&site);

    (void)snprintf(site.config, sizeof site.config, "%s/broken", site.folder);
    write_file(site.config, "cache { stoer = \"lmdb:/nowhere\" }");
    assert_int_equal(run(&site, "cache purge --all"), EX_CONFIG);
    assert_int_equal(run(&site, "verify nobody"), EX_CONFIG);
    write_file(site.config, "control = nowhere");
    assert_int_equal(run(&site, "status"), EX_CONFIG);
    assert_untouched(&site, &before);
}

static void the_daemon_may_be_named_by_its_socket(void **state)
{
    const struct site *site = *state;
    char line[256], control[96];
    pid_t daemon;

    (void)snprintf(control, sizeof control, "%s/other.sock", site->folder);
    daemon = answer_at(control, "{\"ok\": false, \"message\": \"refused\"}\n", 2);
    (void)snprintf(line, sizeof line, "status --json --control %s", control);
    assert_int_equal(run_with(site, line, false, "/dev/null"), 0);
    assert_said(site, "refused");
    (void)snprintf(line, sizeof line, "reload --control=%s", control);
    assert_int_equal(run_with(site, line, false, "/dev/null"), EX_CONFIG);
    assert_said(site, "refused, the old configuration stays in force: refused");
    assert_ended_well(daemon);
}

static void who_cannot_reach_it_is_told_what_to_do(void **state)
{
    const struct site *site = *state;

    assert_int_equal(run(site, "status"), EX_UNAVAILABLE);
    assert_said(site, "control.sock: No such file or directory: is ringback-milter running");
    assert_int_equal(run(site, "reload"), EX_UNAVAILABLE);
    assert_said(site, "is ringback-milter running");
}

static void who_finds_no_cache_is_told_where_it_is_looked_for(void **state)
{
    struct site site = *(const struct site *)*state;

    (void)snprintf(site.config, sizeof site.config, "%s/elsewhere", site.folder);
    write_file(site.config, "hostname = mx.example.net cache { store = \"lmdb:/nowhere/cache\" }");
    assert_int_equal(run(&site, "cache stats"), EX_IOERR);
    assert_said(&site, "/nowhere/cache: No such file or directory: nothing was kept there yet, or");
}

static void who_may_not_is_told_who_may(void **state)
{
    static const struct {
        const char *line;
        int status;
        const char *words;
    } lines[] = {
        {"status", EX_UNAVAILABLE, "control.sock: Permission denied: that is for root, and for"},
        {"reload", EX_UNAVAILABLE, "control.sock: Permission denied: that is for root, and for"},
        {"cache stats", EX_IOERR, "cache: Permission denied: that is for root, and for members of"},
        {"cache purge --all", EX_IOERR, "cache: Permission denied: that is for root"},
        {"verify nobody", EX_NOUSER, "warning: without the cache: "},
        {"verify nobody", EX_NOUSER, "cache: Permission denied: that is for root"},
        {"explain --client 192.0.2.1 --helo x --from <> --to a@example.org", EX_IOERR,
         "cache: Permission denied: that is for root"},
    };
    const struct site *site = *state;
    struct snapshot before = take_snapshot(site);
    char control[96], cache[96];
    pid_t daemon;

    (void)snprintf(control, sizeof control, "%s/control.sock", site->folder);
    (void)snprintf(cache, sizeof cache, "%s/cache", site->folder);
    daemon = answer_at(control, "{}\n", 1);
    assert_int_equal(chmod(site->folder, 0755), 0);
    assert_int_equal(chmod(cache, 0), 0);
    assert_int_equal(chmod(control, 0), 0);
    without_rights = true;
    for (size_t i = 0; i < COUNT(lines); i++) {
        if (run(site, lines[i].line) != lines[i].status)
            fail_msg("%s: not %d: %s", lines[i].line, lines[i].status, read_file(site->said, NULL));
        assert_said(site, lines[i].words);
    }
    without_rights = false;
    assert_int_equal(chmod(cache, 0750), 0);
    assert_int_equal(chmod(control, 0600), 0);
    assert_int_equal(run(site, "status"), 0); /* which ends the daemon */
    assert_ended_well(daemon);
    assert_untouched(site, &before);
}

static void a_daemon_that_answers_nothing_is_named(void **state)
{
    const struct site *site = *state;
    char line[256], control[96];
    pid_t daemon;

    (void)snprintf(control, sizeof control, "%s/other.sock", site->folder);
    daemon = answer_at(control, "", 1);
    (void)snprintf(line, sizeof line, "status --control %s", control);
    assert_int_equal(run_with(site, line, false, "/dev/null"), EX_UNAVAILABLE);
    assert_said(site, "other.sock gave no answer");
    assert_ended_well(daemon);
}

/* --- Waiting -------------------------------------------------------------- */

static int listen_on_loopback(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* Reads a terminal until the words are there. */
static void await_words(int terminal, char *text, size_t size, const char *words)
{
    size_t len = strlen(text);

    while (strstr(text, words) == NULL) {
        struct pollfd at = {.fd = terminal, .events = POLLIN};
        ssize_t n;

        assert_true(poll(&at, 1, GENEROUS_MS) > 0);
        n = read(terminal, text + len, size - 1 - len);
        if (n <= 0)
            fail_msg("\"%s\" is not in: %s", words, text);
        len += (size_t)n;
        text[len] = '\0';
    }
}

static void verify_shows_on_a_terminal_whom_it_waits_for(void **state)
{
    const struct site *site = *state;
    char text[TEXT_MAX] = "", relay[32];
    uint16_t port;
    int host = listen_on_loopback(&port), terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int other_end, called, status;
    pid_t child;

    (void)snprintf(relay, sizeof relay, "127.0.0.1:%u", port);
    assert_int_equal(grantpt(terminal), 0);
    assert_int_equal(unlockpt(terminal), 0);
    other_end = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(other_end >= 0);
    child = fork();
    if (child == 0) {
        if (dup2(other_end, 0) >= 0 && dup2(other_end, 1) >= 0 && dup2(other_end, 2) >= 0)
            (void)execl(program, program, "verify", "-c", site->config, "--relay", relay,
                        "slow@example.edu", (char *)NULL);
        _exit(126);
    }
    called = accept(host, NULL, NULL);
    assert_true(called >= 0);
    await_words(terminal, text, sizeof text, "\rwaiting for slow@example.edu, ");
    close(called); /* it says nothing, and hangs up; whoever comes next finds nobody */
    close(host);
    await_words(terminal, text, sizeof text, "slow@example.edu: unknown (");
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), EX_TEMPFAIL);
    close(other_end);
    close(terminal);
    assert_int_equal(run(site, "cache delete --host 127.0.0.1"), 0);
}

/* --- The cache ------------------------------------------------------------ */

/* How many records it shows with these arguments. */
static unsigned count_shown(const struct site *site, const char *line)
{
    unsigned lines = 0;
    int status = run(site, line);
    char *text;

    if (status == EX_NOUSER)
        return 0;
    assert_int_equal(status, 0);
    text = read_file(site->said, NULL);
    for (const char *c = text; *c != '\0'; c++)
        lines += *c == '\n';
    free(text);
    return lines;
}

static void get_finds_all_keys_of_an_address_or_a_domain(void **state)
{
    static const struct {
        const char *line;
        unsigned count;
    } lines[] = {
        {"cache get alice@example.org", 1},
        {"cache get <alice@EXAMPLE.org>", 1},
        {"cache get bob@example.org", 4},
        {"cache get bob@example.org --json", 4},
        {"cache get bob@example.org --relay 192.0.2.7:25", 1},
        {"cache get bob@example.org --relay mx:", 1},
        {"cache get bob@example.org --relay 192.0.2.7:24", 0},
        {"cache get bob@example.org --relay #0123456789abcdef0123456789abcdef", 0},
        {"cache get rita@example.net", 2},
        {"cache get rita@example.net --relay 192.0.2.7:25", 2},
        {"cache get rita@example.net --relay 192.0.2.7:24", 0},
        {"cache get prvs=4123456789=tess@example.net", 2},
        {"cache get prvs=4987654321=tess@example.net", 1}, /* what others of its kind tell */
        {"cache get tess@example.net", 0},
        {"cache get example.org", 2},
        {"cache get example.org --relay 192.0.2.7:25", 1},
        {"cache get example.com", 0},
        {"cache get alice@example.org bob@example.org example.org", 7},
    };
    const struct site *site = *state;

    for (size_t i = 0; i < COUNT(lines); i++)
        if (count_shown(site, lines[i].line) != lines[i].count)
            fail_msg("%s: not %u", lines[i].line, lines[i].count);
    assert_int_equal(run(site, "cache get bob@example.org --relay 192.0.2.7:25"), 0);
    assert_said(site, "bob@example.org at 192.0.2.7:25: valid (accepted)");
    assert_int_equal(run(site, "cache get example.org"), 0);
    assert_said(site, "domain example.org, catch_all: no (");
    assert_said(site, "domain example.org at 192.0.2.7:25, catch_all: yes (");
}

static void list_shows_every_kind_of_record(void **state)
{
    static const struct {
        const char *line;
        unsigned count;
    } lines[] = {
        {"cache list", 8},
        {"cache list --json", 8},
        {"cache list --limit 3", 3},
        {"cache list --kind all", 16},
        {"cache list --kind all --json", 16},
        {"cache list --kind all --limit 9", 9},
        {"cache list --kind all --limit 1000", 16},
        {"cache list --kind address", 8},
        {"cache list --kind domain", 2},
        {"cache list --kind host", 4},
        {"cache list --kind fold", 1},
        {"cache list --kind retry", 1},
        {"cache list --domain example.org", 7},
        {"cache list --domain example.net", 4},
        {"cache list --domain example.org --kind domain", 2},
        {"cache list --verdict invalid", 3},
        {"cache list --verdict invalid --kind address --limit 2", 2},
        {"cache list --verdict unknown", 0},
        {"cache list --domain example.edu", 0},
    };
    const struct site *site = *state;

    for (size_t i = 0; i < COUNT(lines); i++)
        if (count_shown(site, lines[i].line) != lines[i].count)
            fail_msg("%s: not %u", lines[i].line, lines[i].count);
    assert_int_equal(run(site, "cache list --kind all"), 0);
    assert_said(site, "\ndomain example.org, catch_all: no (");
    assert_said(site, "\nhost 192.0.2.1: 2 failures, the last: blocked, ");
    assert_said(site, "\nhost 2001:db8::1: 2 failures");
    assert_said(site, "\nretry rita@example.net at 192.0.2.7:25: greylisted since ");
    assert_said(site, ", asked again 1 time, due now\n");
    assert_said(site, "\none-time batv prvs=*=tess@example.net: 1 valid in a row, the last ");
}

/* What line does must leave nothing of what the arguments of get, or of list, then show. */
static void check_gone(const struct site *site, const char *line, unsigned removed,
                       const char *then, unsigned left)
{
    char said[64];

    if (run(site, line) != 0)
        fail_msg("%s: %s", line, read_file(site->said, NULL));
    (void)snprintf(said, sizeof said, "%u record%s removed\n", removed, removed == 1 ? "" : "s");
    assert_said(site, said);
    if (count_shown(site, then) != left)
        fail_msg("%s: %s: not %u", line, then, left);
    assert_int_equal(run(site, line), EX_NOUSER);
    fill(site);
}

static void delete_forgets_all_keys(void **state)
{
    const struct site *site = *state;

    check_gone(site, "cache delete alice@example.org", 1, "cache get alice@example.org", 0);
    check_gone(site, "cache delete bob@example.org", 4, "cache get bob@example.org", 0);
    check_gone(site, "cache delete rita@example.net", 2, "cache list --kind all", 14);
    check_gone(site, "cache delete bob@example.org --relay 192.0.2.7:25", 1,
               "cache get bob@example.org", 3);
    check_gone(site, "cache delete prvs=4123456789=tess@example.net", 2,
               "cache list --domain example.net", 2);
    check_gone(site, "cache delete --domain EXAMPLE.org", 7, "cache list --domain example.org", 0);
    check_gone(site, "cache delete --domain example.net", 4, "cache list --kind all", 12);
    check_gone(site, "cache delete --host 192.0.2.1", 2, "cache list --kind host", 2);
    check_gone(site, "cache delete --host 192.0.2.1#2525", 1, "cache list --kind host", 3);
    check_gone(site, "cache delete --host 2001:0DB8:0::1", 1, "cache list --kind host", 3);
    check_gone(site, "cache delete --host unix:/run/store", 1, "cache list --kind host", 3);
}

static void one_that_is_not_there_does_not_spare_the_others(void **state)
{
    const struct site *site = *state;

    assert_int_equal(run(site, "cache delete nobody@example.org alice@example.org"), EX_NOUSER);
    assert_said(site, "nobody@example.org is not in the cache");
    assert_said(site, "1 record removed\n");
    assert_int_equal(count_shown(site, "cache get alice@example.org"), 0);
    fill(site);
}

static void delete_says_what_still_answers(void **state)
{
    const struct site *site = *state;

    assert_int_equal(run(site, "cache delete alice@example.org"), 0);
    assert_said(site, "note: that example.org at 192.0.2.7:25 takes every address is still known");
    assert_int_equal(run(site, "cache delete prvs=4123456789=bob@example.org"), EX_NOUSER);
    assert_said(site, "note: that bob@example.org is a correspondent is still known");
    assert_int_equal(run(site, "cache delete rita@example.net"), 0);
    assert_said(site, "2 records removed\n");
    assert_int_equal(run(site, "cache delete --domain example.org"), 0);
    assert_not_said(site, "note:");
    fill(site);
}

static void what_was_exported_is_taken_again(void **state)
{
    const struct site *site = *state;
    char path[96];

    assert_int_equal(run(site, "cache export"), 0);
    (void)snprintf(path, sizeof path, "%s/exported", site->folder);
    assert_int_equal(rename(site->said, path), 0);
    assert_int_equal(run(site, "cache purge --all"), 0);
    assert_int_equal(run_with(site, "cache import", true, path), 0);
    assert_said(site, "16 records taken\n");
    assert_int_equal(count_shown(site, "cache list --kind all"), 16);
}

static void reading_leaves_the_cache_as_it_is(void **state)
{
    static const char *const lines[] = {
        "cache get bob@example.org --json",
        "cache get nobody@example.org",
        "cache get example.org",
        "cache list --json",
        "cache list --domain example.org",
        "cache export",
        "cache stats",
        "cache stats --json",
        "status",
        "config",
        "explain --client 192.0.2.1 --helo x --from <> --to a@example.org",
        "explain --client 192.0.2.1 --helo x --from <> --to a@example.org --authenticated",
    };
    const struct site *site = *state;
    struct snapshot before = take_snapshot(site);

    for (size_t i = 0; i < COUNT(lines); i++)
        (void)run(site, lines[i]);
    assert_untouched(site, &before);
}

static void purge_removes_what_it_was_told_to(void **state)
{
    const struct site *site = *state;

    assert_int_equal(run(site, "cache purge --expired"), 0);
    assert_said(site, "1 record removed\n");
    assert_int_equal(run(site, "cache get alice@example.org"), 0);
    assert_int_equal(run(site, "cache get carol@example.com"), EX_NOUSER);
    assert_int_equal(run(site, "cache purge --all"), 0);
    assert_said(site, "15 records removed\n");
    assert_int_equal(run(site, "cache get alice@example.org"), EX_NOUSER);
    fill(site);
}

static void purge_asks_on_a_terminal(void **state)
{
    const struct site *site = *state;
    struct snapshot before = take_snapshot(site);

    assert_int_equal(run_on_terminal(site, "cache purge", "n\n"), EX_NOPERM);
    assert_int_equal(run_on_terminal(site, "cache purge", "\n"), EX_NOPERM);
    assert_int_equal(run_on_terminal(site, "cache purge", "yes indeed\n"), EX_NOPERM);
    assert_int_equal(run_on_terminal(site, "cache purge", "\004"), EX_NOPERM);
    assert_untouched(site, &before);
    assert_int_equal(run_on_terminal(site, "cache purge", "y\n"), 0);
    assert_said(site, "16 records removed\n");
    fill(site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_option_that_is_not_the_verbs_is_usage_and_does_nothing),
        cmocka_unit_test(an_option_given_twice_is_usage_and_does_nothing),
        cmocka_unit_test(of_two_configurations_the_last_counts),
        cmocka_unit_test(what_makes_no_sense_is_usage_and_does_nothing),
        cmocka_unit_test(what_is_the_verbs_is_taken),
        cmocka_unit_test(each_verbs_help_names_all_its_options),
        cmocka_unit_test(what_is_wrong_elsewhere_is_no_verbs_concern),
        cmocka_unit_test(what_is_wrong_where_it_matters_is_refused),
        cmocka_unit_test(the_daemon_may_be_named_by_its_socket),
        cmocka_unit_test(who_cannot_reach_it_is_told_what_to_do),
        cmocka_unit_test(who_finds_no_cache_is_told_where_it_is_looked_for),
        cmocka_unit_test(who_may_not_is_told_who_may),
        cmocka_unit_test(a_daemon_that_answers_nothing_is_named),
        cmocka_unit_test(verify_shows_on_a_terminal_whom_it_waits_for),
        cmocka_unit_test(get_finds_all_keys_of_an_address_or_a_domain),
        cmocka_unit_test(list_shows_every_kind_of_record),
        cmocka_unit_test(delete_forgets_all_keys),
        cmocka_unit_test(delete_says_what_still_answers),
        cmocka_unit_test(one_that_is_not_there_does_not_spare_the_others),
        cmocka_unit_test(what_was_exported_is_taken_again),
        cmocka_unit_test(reading_leaves_the_cache_as_it_is),
        cmocka_unit_test(purge_removes_what_it_was_told_to),
        cmocka_unit_test(purge_asks_on_a_terminal),
    };

    return cmocka_run_group_tests_name("tool", tests, set_up, tear_down);
}
