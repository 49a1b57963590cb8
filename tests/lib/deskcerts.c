/* SPDX-License-Identifier: Apache-2.0 */
/* deskcerts DIR: a device of software gets its certificates at a desk; they and
 * the CAs above are left in DIR as PEM, for who looks at them with other tools.
 */
#include "tests/unit/desk.h"

static void leave(const char *dir, const char *name, X509 *cert)
{
    char path[256];
    IDV_AUTO(buf) pem = {0};
    IDV_AUTO_PTR(idv_certs) one = pki_stack(cert, NULL);
    snprintf(path, sizeof(path), "%s/%s.pem", dir, name);
    pki_must(idv_certs_to_pem(one, &pem), name);
    pki_must(idv_fs_write(path, idv_view(&pem), 0600), name);
}

static const char *dir;

static void certificates(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    s->template.crl_url = "http://ca.example/list.crl";
    s->template.aia_url = "http://ca.example/ca.cer";
    desk_again(s);
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    IDV_AUTO_PTR(idv_certs) bag = issued(s, &s->tpm, &s->tpm.iak, &r);
    leave(dir, "idevid", certificate_of(bag, s->tpm.idevid.key));
    leave(dir, "iak", certificate_of(bag, s->tpm.iak.key));
    leave(dir, "ek", s->tpm.ek_cert);
    leave(dir, "ca", s->pki.maker_ca.cert);
    leave(dir, "root", s->pki.maker_root.cert);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {DESK_TEST(certificates)};
    if (argc != 2) {
        fprintf(stderr, "usage: deskcerts DIR\n");
        return 2;
    }
    dir = argv[1];
    return cmocka_run_group_tests(tests, scene_begin, scene_end);
}
