/* SPDX-License-Identifier: BSD-2-Clause */
/* transcript: see transcript.h. */
#include "config.h"

#include "tool/transcript.h"

void transcript_print(FILE *out, const struct rb_transcript *transcript)
{
    size_t count = transcript != NULL ? rb_transcript_count(transcript) : 0;

    for (size_t i = 0; i < count; i++) {
        struct rb_transcript_line line = rb_transcript_get(transcript, i);

        (void)fprintf(out, "  %6lld ms  %s[%s] %c %s\n", (long long)line.t_ms, line.mx, line.ip,
                      line.dir, line.text);
    }
}
