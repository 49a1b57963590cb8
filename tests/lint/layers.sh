#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who may include and call what, as a table of patterns: each room of the
# source knows only those below it, and each foreign library one place.
. "$(dirname "$0")/../lib/story.sh"
cd "${top_srcdir:-$(dirname "$0")/../..}" || bail 'no source'

# offenders PATTERN ALLOWED FOLDER ...: lines of C below the folders that match
# PATTERN, in files other than those that ALLOWED (a pattern of paths) matches;
# comments, as clang-format leaves them, do not count.
offenders() {
    local pattern=$1 allowed=$2
    shift 2
    grep -rnE --include='*.[ch]' "$pattern" "$@" |
        grep -vE "^[^:]*:[0-9]+: *(/?\*|//)" | grep -vE "^($allowed)[^:]*:"
}

# only WHAT ALLOWED PATTERN [FOLDER ...]
only() {
    local what=$1 allowed=$2 pattern=$3
    shift 3
    [ $# -gt 0 ] || set -- provider idevid tools
    is "$what" "$(offenders "$pattern" "$allowed" "$@")" ''
}

include() {
    printf '^#include *[<"](%s)' "$1"
}

# --- one place for each library ---
only 'tss2 in provider/device/tpm2_* only' provider/device/tpm2_ \
    "$(include 'tss2/')"
only 'Cryptoki and libp11 in provider/device/p11_* only' provider/device/p11 \
    "$(include 'libp11|pkcs11|p11-kit/')"
only 'sockets, libcurl, libevent, libcoap in idevid/net only' \
    'idevid/net/|provider/device/tpm2_tcti|tools/notify' \
    "$(include 'sys/socket|netinet/|arpa/|netdb|curl/|event2?[/.]|coap')"
only 'TLS in idevid/net only' idevid/net/ "$(include 'openssl/ssl')"
only 'databases in idevid/db only' idevid/db/ "$(include 'sqlite3|libpq|pq')"
only 'OSSL_STORE in idevid/key only' idevid/key/ '\bOSSL_STORE_[a-z_]+\(' \
    idevid tools
only 'jansson and libcbor in idevid/codec only' idevid/codec/ \
    "$(include 'jansson|cbor')"

# --- what roles and codecs do not touch ---
only 'files are opened in base/fs.c only' \
    'idevid/base/fs|idevid/base/env|idevid/db/|idevid/net/' \
    '(^|[^>.a-z_])(fopen|fdopen|open|openat|creat|opendir|BIO_new_file)\(' \
    idevid
only 'the clock is read in base/env.c only' 'idevid/base/env|idevid/net/' \
    '\b(time|clock_gettime|gettimeofday|X509_cmp_current_time) ?\(' idevid
only 'randomness comes from base/env.c only' 'idevid/base/(env|fs)' \
    '\b(RAND_(priv_)?bytes|getrandom|getentropy|rand|random) ?\(' idevid
only 'printing is for tools' 'idevid/base/log|idevid/base/env' \
    '\b(printf|puts|putchar|perror) ?\(|\bfprintf ?\(std|\bfputs ?\(.*std' \
    idevid provider
only 'the environment is for tools, and for the provider alone' \
    'provider/(conf|device/tpm2_(lock|tcti_bus))|idevid/net/listen' \
    '\b(secure_)?getenv ?\(' idevid provider
only 'exiting is for tools' 'idevid/net/(supervise|aside)' \
    '\b(_exit|exit|abort) ?\(' idevid provider
only 'a token is left logged in and initialised' \
    'provider/device/p11_(module|end)' \
    'C_Finalize|C_Logout' provider

# --- the two products ---
only 'the provider knows nothing of device identity' '-' \
    "$(include 'idevid/|\.\./idevid')" provider
only 'device.h is the one door between them' \
    'idevid/key/|idevid/tpm/|idevid/trust/|idevid/factory/' \
    "$(include 'provider/')" idevid
only 'and through it only device.h' '-' \
    "$(include 'provider/([^d]|d[^e]|de[^v]|device/)')" idevid tools

# --- rooms of idevid/, an upper one may include those below ---
# ROOM:BELOW..., of private headers ("room/x.h") and public ones (<idevid/x.h>)
base='auto buf conf env err fs limits machine offer text watch'
codec='json codec'
low="$base $codec key x509 envelope"
factory='factory order journal desk station ek export'
while IFS=: read -r room rooms headers; do
    [ -d "idevid/$room" ] || continue
    may="^#include \"((idevid/)?(${rooms// /|})/|config.h|provider/)"
    may="$may|^#include <idevid/($(echo $headers | tr ' ' '|'))\\.h>"
    is "$room includes what is below it" "$(grep -HnE \
        '^#include ("|<idevid/)' "idevid/$room"/*.[ch] |
        while IFS= read -r line; do
            printf '%s\n' "${line#*:*:}" | grep -qE "$may" ||
                printf '%s\n' "$line"
        done)" ''
done <<EOT
base:base:$base
codec:base codec:$base $codec
key:base codec key:$base $codec key x509
x509:base codec x509:$base $codec key x509
envelope:base codec x509 key envelope:$low
voucher:base codec x509 key envelope voucher:$low voucher
tree:base codec x509 tree:$base $codec key x509 envelope voucher
tpm:base codec x509 tpm:$base $codec x509
trust:base codec x509 key tpm trust:$low voucher trust approval maker evidence
est:base codec x509 key envelope est:$low voucher trust est
pledge:base codec x509 key pledge:$low voucher trust approval est pledge evidence
admin:base codec admin:$base $codec
registrar:base envelope admin est tree registrar:$low voucher trust est evidence
masa:base envelope admin tree masa:$low voucher trust approval
joinproxy:base joinproxy:$low voucher trust est
factory:base key tpm factory:$low voucher trust maker est $factory
ident:base ident:$low voucher trust est ident
db:base db admin registrar masa joinproxy est tree:$low voucher trust est $factory
net:base codec net:$base $codec key x509 envelope est pledge drive discover
EOT

# a file of one room never sees the private header of another role
only 'roles never include one another' '-' \
    "$(include '(idevid/)?(masa|pledge|joinproxy|factory|ident)/')" \
    idevid/registrar
only 'MASA: no other role' '-' \
    "$(include '(idevid/)?(registrar|pledge|joinproxy|factory|ident)/')" \
    idevid/masa
only 'pledge: no other role' '-' \
    "$(include '(idevid/)?(registrar|masa|joinproxy|factory|ident)/')" \
    idevid/pledge
only 'services use public symbols of the core and their own' '-' \
    "$(include '(voucher|x509|key|envelope|trust|codec|pledge)/')" \
    idevid/registrar idevid/masa idevid/db
only 'tools include public headers, net and db' '-' \
    "$(include '(idevid/)?(codec|key|x509|envelope|voucher|trust|pledge)/[^>]*"')" \
    tools
done_testing
