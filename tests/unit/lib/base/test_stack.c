/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_stack: what a thread had once touched and stands on no more is given back, and nothing else
 * is.
 */
#include "config.h"

#include "check.h"
#include "base/stack.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DEEP = 128 * 1024, PAGES_MAX = DEEP / 1024 };

/*
 * What a thread found: whole pages that lie within what it had touched, and how many of them were
 * resident.
 */
struct finding {
    size_t pages, before, after;
    bool kept;
};

static size_t resident(uintptr_t first, size_t pages, size_t page)
{
    unsigned char in_memory[PAGES_MAX];
    size_t count = 0;

    assert_true(pages <= PAGES_MAX);
    assert_int_equal(mincore((void *)first, pages * page, in_memory), 0);
    for (size_t i = 0; i < pages; i++)
        count += in_memory[i] & 1;
    return count;
}

/* Goes deep, and tells where that was. */
__attribute__((noinline)) static void go_deep(uintptr_t *where)
{
    volatile char octets[DEEP];

    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (char)i;
    *where = (uintptr_t)octets;
}

static void *look(void *arg)
{
    struct finding *finding = arg;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    volatile char own[2000];
    uintptr_t deep, first;

    for (size_t i = 0; i < sizeof own; i++)
        own[i] = (char)(i * 7);
    go_deep(&deep);
    first = (deep + page - 1) / page * page;
    finding->pages = DEEP / page - 4; /* the uppermost may be in use by what is called here */
    finding->before = resident(first, finding->pages, page);
    stack_release();
    finding->after = resident(first, finding->pages, page);
    finding->kept = true;
    for (size_t i = 0; i < sizeof own; i++)
        finding->kept = finding->kept && own[i] == (char)(i * 7);
    return NULL;
}

static void a_thread_gives_back_what_it_stands_on_no_more(void **state)
{
    struct finding finding;
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, look, &finding), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(finding.before, finding.pages);
    assert_int_equal(finding.after, 0);
    assert_true(finding.kept);
}

static void the_first_thread_keeps_all(void **state)
{
    struct finding finding;

    (void)state;
    (void)look(&finding);
    assert_int_equal(finding.before, finding.pages);
    assert_int_equal(finding.after, finding.pages);
    assert_true(finding.kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_gives_back_what_it_stands_on_no_more),
        cmocka_unit_test(the_first_thread_keeps_all),
    };

    return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}
