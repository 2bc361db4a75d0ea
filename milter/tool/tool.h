/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tool: the verbs of `ringback`, each in the file of its name: takes the arguments from the verb on
 * and returns the exit status (sysexits.h).
 */
#ifndef RB_MILTER_TOOL_TOOL_H
#define RB_MILTER_TOOL_TOOL_H

typedef int verb_run(int argc, char **argv);

verb_run cache_run, config_run, explain_run, reload_run, spf_run, status_run, verbs_run, verify_run;

#endif
