/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of name servers: the first byte says to which question. */
#include <string.h>

#include "net/dns_answer.h"
#include "tests/fuzz/fuzz.h"

static void check_name(const struct idvi_name *name)
{
    char host[256];
    size_t at = 0;
    while (at < name->n && name->wire[at])
        at += (size_t)name->wire[at] + 1;
    PROMISE(at + 1 == name->n && name->n <= sizeof(name->wire));
    if (!idvi_name_is_host(name, host, sizeof(host)))
        return;
    struct idvi_name again;
    PROMISE(idvi_name_from_text(idv_str(host), &again) == IDV_OK);
    PROMISE(idvi_name_eq(&again, name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint16_t types[] = {ns_t_ptr, ns_t_srv, ns_t_a, ns_t_aaaa};
    struct idvi_name name;
    struct idvi_answer answer;
    if (n == 0)
        return 0;
    uint16_t type = types[data[0] % 4];
    idv_note_clear();
    PROMISE(idvi_name_from_text(idv_str("a.example"), &name) == IDV_OK);
    if (idvi_dns_answer(idv_bytes(data + 1, n - 1), &name, type, &answer) !=
        IDV_OK)
        return 0;
    PROMISE(answer.n <= IDVI_DNS_RECORDS);
    for (size_t i = 0; i < answer.n; i++) {
        if (type == ns_t_ptr || type == ns_t_srv)
            check_name(&answer.at[i].name);
    }
    return 0;
}
