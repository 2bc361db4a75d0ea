/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * folder: see the header. Who may write to the folder could put links in it, or have them put
 * there: everything goes by the folder's descriptor, and by names that are not followed.
 */
#include "config.h"

#include "cache/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

enum { FILE_MODE = 0660, FOLDER_MODE = 0750 };

struct folder_claim {
    struct file_id id;
    pid_t pid; /* of the process that made it: a child has a copy */
    const void *owner;
    struct folder_claim *prev, *next;
};

static pthread_mutex_t claims_lock = PTHREAD_MUTEX_INITIALIZER;
static struct folder_claim *claims; /* [claims_lock] */

void folder_explain(const struct folder *folder, const char *what)
{
    if (folder->detail != NULL && folder->detail_size > 0)
        (void)snprintf(folder->detail, folder->detail_size, "%s: %s", folder->path, what);
}

static bool gives_away(const struct folder *folder)
{
    return folder->owner_fix && geteuid() == 0;
}

/* A folder that root makes is its parent's owner's, as files are the folder's owner's. */
static void give_to_parents_owner(const struct folder *folder)
{
    struct stat parent;
    const int fd = openat(folder->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &parent) == 0 && fchown(folder->fd, parent.st_uid, parent.st_gid) != 0)
        folder_explain(folder, "cannot be given to the owner of the folder above");
    close(fd);
}

int folder_open(struct folder *folder)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    bool made = false;
    folder->fd = open(folder->path, flags);
    if (folder->fd < 0 && errno == ENOENT && !folder->read_only) {
        made = mkdir(folder->path, FOLDER_MODE) == 0;
        if (!made && errno != EEXIST)
            return errno;
        folder->fd = open(folder->path, flags);
    }
    if (folder->fd < 0)
        return errno;
    if (made && gives_away(folder))
        give_to_parents_owner(folder);
    return 0;
}

void folder_close(struct folder *folder)
{
    if (folder->fd >= 0)
        close(folder->fd);
    folder->fd = -1;
}

/* A file with a second name could be one elsewhere that we are to write to, or to give away. */
static int check_file(const struct folder *folder, const char *name)
{
    struct stat found;
    if (fstatat(folder->fd, name, &found, AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    return S_ISREG(found.st_mode) && found.st_nlink == 1 ? 0 : ELOOP;
}

int folder_make_file(const struct folder *folder, const char *name)
{
    struct stat owner;
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const int fd = openat(folder->fd, name, flags, FILE_MODE);
    if (fd < 0)
        return errno == EEXIST ? check_file(folder, name) : errno;
    int error = fchmod(fd, FILE_MODE) == 0 ? 0 : errno;
    if (error == 0 && gives_away(folder) &&
        (fstat(folder->fd, &owner) != 0 || fchown(fd, owner.st_uid, owner.st_gid) != 0))
        error = errno;
    close(fd);
    return error;
}

int folder_move_aside(const struct folder *folder, const char *name, const char *suffix)
{
    char aside[NAME_MAX + 1];
    const int len = snprintf(aside, sizeof aside, "%s.%s", name, suffix);
    if (len < 0 || (size_t)len >= sizeof aside)
        return ENAMETOOLONG;
    return renameat(folder->fd, name, folder->fd, aside) == 0 ? 0 : errno;
}

bool folder_has_file(const char *path, const char *name, const struct file_id *id)
{
    struct stat found;
    char whole[PATH_MAX];
    const int len = snprintf(whole, sizeof whole, "%s/%s", path, name);
    return len > 0 && (size_t)len < sizeof whole && stat(whole, &found) == 0 &&
           found.st_dev == id->dev && found.st_ino == id->ino;
}

static bool is_anothers(const struct folder_claim *wanted)
{
    const struct folder_claim *claim = NULL;
    DL_FOREACH(claims, claim)
    {
        if (claim->id.dev == wanted->id.dev && claim->id.ino == wanted->id.ino &&
            claim->pid == wanted->pid && claim->owner != wanted->owner)
            return true;
    }
    return false;
}

int folder_claim(const struct folder *folder, const void *owner, struct folder_claim **claim)
{
    struct stat found;
    if (fstat(folder->fd, &found) != 0)
        return errno;
    struct folder_claim *made = malloc(sizeof *made);
    if (made == NULL)
        return ENOMEM;
    *made = (struct folder_claim){
        .id = {.dev = found.st_dev, .ino = found.st_ino}, .pid = getpid(), .owner = owner};
    pthread_mutex_lock(&claims_lock);
    const bool is_free = !is_anothers(made);
    if (is_free)
        DL_APPEND(claims, made);
    pthread_mutex_unlock(&claims_lock);
    if (!is_free) {
        free(made);
        return EBUSY;
    }
    *claim = made;
    return 0;
}

void folder_release(struct folder_claim *claim)
{
    if (claim == NULL)
        return;
    pthread_mutex_lock(&claims_lock);
    DL_DELETE(claims, claim);
    pthread_mutex_unlock(&claims_lock);
    free(claim);
}
