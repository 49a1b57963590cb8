/* SPDX-License-Identifier: Apache-2.0 */
/* What sealing and verifying share: a batch's words, the chain's next link. */
#ifndef IDEVID_FACTORY_JOURNAL_INT_H
#define IDEVID_FACTORY_JOURNAL_INT_H

#include <idevid/journal.h>

/* The text that a batch's signature is over. */
idv_rc idvi_batch_text(const struct idv_journal_batch *b,
                       struct idv_buf *out) IDV_CHECKED;
/* e is entry seq and follows the one with the hash previous; *previous becomes
 * its own. IDV_E_REJECT notes what is wrong. */
idv_rc idvi_journal_link(const struct idv_journal_entry *e, uint64_t seq,
                         uint8_t previous[static 32]) IDV_CHECKED;

#endif
