/* SPDX-License-Identifier: Apache-2.0 */
/* The threat table: attackers, ways of keeping the anchor, and how it ends. */
#include <stddef.h>

#include "anchor_words.h"

const struct anchor_threat anchor_threats[] = {
    {"A file in the state directory is edited, exchanged or deleted, the "
     "device off or on",
     {"noticed", "noticed", "noticed",
      "noticed, unless the token's own files are changed along with it"}},
    {"Root deletes the anchor from the device",
     {"noticed: the anchor is gone", "refused by the TPM",
      "refused where the token honours CKA_DESTROYABLE, otherwise noticed: the "
      "anchor is gone",
      "noticed: the anchor is gone"}},
    {"Root deletes it and makes one of its own in the same place",
     {"noticed; as a whole new imprint it shows: a higher generation, another "
      "Name in evidence, dead LDevID keys",
      "refused by the TPM",
      "shows, by a higher generation, where the token honours CKA_DESTROYABLE; "
      "otherwise unnoticed, for who has the PIN",
      "unnoticed, for who has the PIN"}},
    {"A record of another device, or a copy of another one of this, takes its "
     "place",
     {"noticed", "refused by the TPM",
      "noticed: it is signed by the IDevID key, for its place",
      "noticed: it is signed by the IDevID key, for its place"}},
    {"Root imprints before the owner does",
     {"shows: no voucher of the maker is in the record, or the maker logged "
      "it",
      "refused by the TPM, without the maker's approval of exactly this record",
      "shows: as with owner", "shows: as with owner"}},
    {"An anchor that was left is put back, with its files",
     {"refused: its policy can never be fulfilled again",
      "refused: the generation is past",
      "refused where the token honours CKA_DESTROYABLE, otherwise unnoticed",
      "unnoticed"}},
    {"A policy session that was satisfied during the imprint is kept and used "
     "afterwards",
     {"refused once capped; before, another content is noticed",
      "refused for what was not approved; one for a past generation is "
      "noticed; one for the fuse ends the anchor, as a reset does; until the "
      "TPM is switched off",
      "none", "none"}},
    {"A part of the record is written",
     {"refused by the TPM", "refused by the TPM",
      "noticed: it is signed as a whole", "noticed: it is signed as a whole"}},
    {"An index of another type takes the counter's place",
     {"noticed", "refused by the TPM", "none", "none"}},
    {"TPM2_Clear",
     {"noticed: the anchor is gone; no old one comes back",
      "harmless: it survives", "none", "none"}},
    {"A PCR of gate-pcrs changes during the imprint",
     {"refused; the imprint begins anew", "none", "none", "none"}},
    {"Somebody on the bus changes what the TPM answers, or what is written",
     {"noticed: the session's HMAC fails, where salt-key pins the TPM's key",
      "noticed: as with owner", "none", "none"}},
    {"Somebody on the bus makes up what the TPM says of itself: lockout, power "
     "cycles, the platform hierarchy",
     {"unnoticed: it is only shown, and with it whether the anchor is capped",
      "unnoticed: it is only shown, and with it enforce or detect", "none",
      "none"}},
    {"Somebody on the bus keeps a reset from the TPM",
     {"noticed at the next start", "noticed: the session's HMAC fails", "none",
      "none"}},
    {"The TPM is driven into dictionary-attack lockout, or the PIN is locked",
     {"harmless: the anchor is read all the same; the IDevID cannot sign until "
      "it ends",
      "harmless: as with owner", "harmless: the anchor needs no PIN to be read",
      "harmless: the anchor needs no PIN to be read"}},
    {"The device's disk is copied, and the copy put back after a reset",
     {"noticed: the TPM has gone on", "noticed: the TPM has gone on",
      "noticed: the token has gone on",
      "unnoticed: the token is a part of the copy"}},
    {"Root has a program changed that should look at the anchor",
     {"unnoticed", "unnoticed", "unnoticed", "unnoticed"}},
    {0}};
