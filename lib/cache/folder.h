/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * folder: the folder that a store keeps its files in: is made where it is missing, with its files,
 * so that modes and owners are right from the start; no link in it is followed; one process has it
 * open once. Must not know what is in the files.
 *
 * Owns: the list of folders that this process has open. Lock: its own, under which nothing is
 * waited for. Thread rule: every function may be called from any thread.
 */
#ifndef RB_CACHE_FOLDER_H
#define RB_CACHE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Which file it is, however it is called. */
struct file_id {
    dev_t dev;
    ino_t ino;
};

/* A folder that is being opened. All but fd is the caller's to set. */
struct folder {
    const char *path;
    bool read_only; /* makes no folder */
    bool owner_fix; /* root gives what it makes to the owner of the folder that it makes it in */
    int fd;         /* -1: not open */
    char *detail;   /* of detail_size: says in words what was the matter; NULL: nobody asks */
    size_t detail_size;
};

/* Each returns 0, or an errno value. */

/* To be closed with folder_close, whatever it returns. */
int folder_open(struct folder *folder);

/* ELOOP: what is called so is no plain file, or has a second name. */
int folder_make_file(const struct folder *folder, const char *name);

/* Adds a dot and the suffix to the file's name. */
int folder_move_aside(const struct folder *folder, const char *name, const char *suffix);

void folder_close(struct folder *folder);

/* detail becomes the path and that. */
void folder_explain(const struct folder *folder, const char *what);

/* Whether the file of that name in the folder of that path is this one. */
bool folder_has_file(const char *path, const char *name, const struct file_id *id);

/*
 * A folder that this process has open: EBUSY where another owner has it, by what the folder is and
 * not by how it is called. What a parent has open is not the child's. To be given back with
 * folder_release, for which NULL is fine.
 */
struct folder_claim;
int folder_claim(const struct folder *folder, const void *owner, struct folder_claim **claim);
void folder_release(struct folder_claim *claim);

#endif
