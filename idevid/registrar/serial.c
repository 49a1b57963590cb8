/* SPDX-License-Identifier: Apache-2.0 */
/* Where makers put a device's serial number and model (RFC 8995 section
 * 2.3.1): the usual place, or another one that is configured. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include <idevid/codec.h>
#include <idevid/text.h>

#include "idevid/registrar/registrar_call.h"

/* The one RDN of that kind; IDV_E_REJECT: none, several, or no fit text. */
static idv_rc subject_part(const X509 *cert, int nid, char *out, size_t room)
{
    const X509_NAME *name = X509_get_subject_name(cert);
    int i = X509_NAME_get_index_by_NID(name, nid, -1);
    if (i < 0 || X509_NAME_get_index_by_NID(name, nid, i) >= 0)
        return idv_fail(IDV_E_REJECT, "IDevID: not one %s in its subject",
                        OBJ_nid2sn(nid));
    unsigned char *utf8 = NULL;
    const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
    int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
    struct idv_bytes text = idv_bytes(utf8, n > 0 ? (size_t)n : 0);
    ERR_clear_error();
    bool fits = text.n > 0 && text.n < room && idv_text_printable(text);
    if (fits) {
        memcpy(out, text.p, text.n);
        out[text.n] = 0;
    }
    OPENSSL_free(utf8);
    return fits ? IDV_OK
                : idv_fail(IDV_E_REJECT, "IDevID: its %s is no fit text",
                           OBJ_nid2sn(nid));
}

/* hwSerialNum as text where it is one, otherwise in hexadecimal. */
static idv_rc hardware_serial(const struct idv_devid *id, char *out,
                              size_t room)
{
    struct idv_bytes raw = idv_bytes(id->hw_serial, id->hw_serial_n);
    IDV_AUTO(buf) hex = {0};
    if (raw.n == 0)
        return idv_fail(IDV_E_REJECT, "IDevID: no hardwareModuleName with a "
                                      "serial number");
    if (!idv_text_printable(raw)) {
        IDV_TRY(idv_hex_from_bytes(raw, &hex));
        raw = idv_view(&hex);
    }
    idv_rc rc = idv_text_copy(out, room, raw, "IDevID: hardware serial number");
    return rc == IDV_OK ? rc : IDV_E_REJECT;
}

idv_rc idvi_reg_device_of(const X509 *cert,
                          const struct idv_registrar_maker *maker,
                          struct idv_devid *out)
{
    enum idv_serial_field field = maker->serial_field;
    char *serial = out->serial_number;
    size_t room = sizeof(out->serial_number);
    if (field == IDV_SERIAL_SUBJECT)
        return idv_devid_from_cert(cert, out);
    IDV_TRY(idv_devid_without_serial(cert, out));
    return field == IDV_SERIAL_HARDWARE
               ? hardware_serial(out, serial, room)
               : subject_part(cert, NID_commonName, serial, room);
}

/* Not knowing the model is no fault: patterns are matched against "". */
void idvi_reg_model_of(const struct idvi_reg_call *c,
                       char out[static IDV_MAX_PATTERN + 1])
{
    enum idv_model_field field = c->maker->model_field;
    size_t room = IDV_MAX_PATTERN + 1;
    idv_rc rc =
        field == IDV_MODEL_HARDWARE
            ? idv_text_copy(out, room, idv_str(c->id.hw_type), "model")
            : subject_part(c->leaf,
                           field == IDV_MODEL_UNIT ? NID_organizationalUnitName
                                                   : NID_commonName,
                           out, room);
    if (rc == IDV_OK)
        return;
    out[0] = 0;
    idv_note_clear();
}
