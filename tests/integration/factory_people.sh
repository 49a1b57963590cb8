#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a line gives to people: labels whose codes are read back, exports that
# others load, the vendors' roots as one file, EK certificates that are fetched.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
world_begin
trap world_end EXIT
F=$BIN/idevid-factory
D=$WORLD/line

# line VERB ...: the command on this line, with the tokens' environment
line() {
    local verb=$1
    shift
    in_device tokens "$F" "$verb" "$D" "$@"
}

# --- three devices, two of an order with MAC addresses, one still to come ---
token_up maker || bail 'no token'
cat >"$WORLD/order.csv" <<EOT
#order: L-7
#model: GW;2
serial-number,mac
AB/0001,00:11:22:33:44:55
AB-0002,00:11:22:33:44:56
AB-0003,00:11:22:33:44:57
EOT
ok 'a line' in_device maker "$F" init "$D" --token pkcs11:token=maker \
    --maker "$MAKER_NAME" --masa-url https://masa.example.com:9443
ok 'an order' line order "$WORLD/order.csv"
fails 1 'no device is done' 'no labels before there are devices' \
    line label -o "$WORLD/none.pdf"
ok 'and no file' test ! -e "$WORLD/none.pdf"
make_device() {
    token_up "$1" || bail 'no token'
    ok "device $1" line provision --device "pkcs11:token=$1" --order L-7
}
make_device one AB/0001
make_device two AB-0002

# --- labels: what is printed is what a camera reads ---
hash_of() {
    line export --format csv | tr -d '\r' | awk -F, -v s="$1" '
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
        $at["serial-number"] == s { print $at["certificate-sha256"] }'
}
code() {
    zbarimg -q --raw -Sdisable -Sqrcode.enable "$@"
}
want_code() {
    printf 'IDEVID:1;S=%s;M=GW%%3B2;H=%s' "$1" "$(hash_of "$1")"
}
is 'the hash is there' "$(hash_of AB-0002 | tr -d '0-9a-f' | wc -c)" 1
ok 'a picture for each' line label -o "$WORLD/png"
is 'named by serial number, no more of them' \
    "$(cd "$WORLD/png" && echo *)" 'AB%2F0001.png AB-0002.png'
is 'the code of the first' "$(code "$WORLD/png/AB%2F0001.png")" \
    "$(want_code AB/0001)"
is 'the code of the second' "$(code "$WORLD/png/AB-0002.png")" \
    "$(want_code AB-0002)"
ok 'the same at 203 dpi' line label -o "$WORLD/png203" --dpi 203
is 'is read as well' "$(code "$WORLD/png203/AB-0002.png")" \
    "$(want_code AB-0002)"
ok 'a sheet' line label -o "$WORLD/sheet.pdf" --page A4 --order L-7
is 'of one page in A4' "$(pdfinfo "$WORLD/sheet.pdf" |
    awk '/^Pages/ || /^Page size/ { $1 = ""; print }' | sed 's/Page//' |
    tr -s ' \n' ' ' | grep -c ' 1 .*(A4)')" 1
sheet=$(pdftotext -layout "$WORLD/sheet.pdf" -)
for t in AB/0001 AB-0002 'GW;2' 00:11:22:33:44:55 00:11:22:33:44:56 \
    'Order L-7' "ID $(hash_of AB-0002 | cut -c1-8)"; do
    like "the sheet says $t" "$sheet" "$t"
done
is 'but not who is to come' "$(printf '%s' "$sheet" | grep -c AB-0003)" 0
pdftoppm -r 300 -png "$WORLD/sheet.pdf" "$WORLD/sheet"
is 'both codes are on it' "$(code "$WORLD"/sheet-*.png | sort)" \
    "$(for s in AB-0002 AB/0001; do want_code $s; echo; done | sort)"
ok 'a roll' line label -o "$WORLD/roll.pdf" --text 'https://x.example/{serial}'
is 'a page for each' "$(pdfinfo "$WORLD/roll.pdf" |
    awk '/^Pages/ { print $2 }')" 2
ok 'one device' line label -o "$WORLD/one.pdf" --serial AB-0002 \
    --text '{mac} {sha256-hex8}'
pdftoppm -r 300 -png "$WORLD/one.pdf" "$WORLD/one"
is 'its own text' "$(code "$WORLD"/one-*.png)" \
    "00:11:22:33:44:56 $(hash_of AB-0002 | cut -c1-8)"

# refused, by name, and no file
no_label() {
    local code=$1 text=$2 what=$3
    shift 3
    fails "$code" "$text" "$what" line label -o "$WORLD/no.pdf" "$@"
    ok 'leaves nothing' test -z "$(find "$WORLD" -name 'no.pdf*')"
}
no_label 1 'AB-0003: not in the journal' 'a device that is not made' \
    --serial AB-0003
no_label 2 "no family 'No Such Font'" 'a font that is not here' \
    --font 'No Such Font'
printf 'no font' >"$WORLD/font.ttf"
no_label 5 'cannot be read as a font' 'a file that is no font' \
    --font "$WORLD/font.ttf"
no_label 2 '{colour} is not known' 'a word that nobody knows' --text '{colour}'
long=$(printf '%0800d' 0)
no_label 1 'shorter text or larger labels' 'a code too fine to be read' \
    --text "$long"
no_label 1 'more than a QR code takes' 'a text too long for any code' \
    --text "$long$long$long" --page A4 --grid 1x1
no_label 1 'AB-0002.*does not fit' 'a label too small' --page 20x14 --text x
no_label 2 "'A5' is not A4" 'a page that nobody knows' --page A5
no_label 2 'grid' 'half a grid' --grid 3
fails 2 'a picture has one label' 'sheets of pictures' \
    line label -o "$WORLD/no" --page A4

# --- the vendors' roots ---
V=$WORLD/vendors
mkdir -p "$V/Infineon/old" "$V/ST"
# ca FILE NAME DAYS [ISSUER]: a CA's certificate FILE.pem, its key FILE.key
ca() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout "$1.key" -out "$1.pem" -subj "/CN=$2" -days "$3" \
        -addext keyUsage=critical,keyCertSign \
        ${4:+-CA "$4.pem" -CAkey "$4.key"} 2>/dev/null
}
ca "$WORLD/ifx" 'IFX Root' 300
ca "$WORLD/ica" 'IFX EK CA' 300 "$WORLD/ifx"
ca "$WORLD/st" 'ST Root' 300
ca "$WORLD/past" 'Past Root' -1 || true
openssl x509 -in "$WORLD/ifx.pem" -outform DER -out "$V/Infineon/root.crt"
cat "$WORLD/ica.pem" "$WORLD/ifx.pem" >"$V/Infineon/old/both.PEM"
cp "$WORLD/st.pem" "$V/ST/root.cer"
printf 'see the web site' >"$V/ST/README.txt"
ok 'a bundle' line roots make "$V" --number 7 -o "$WORLD/roots.json"
like 'what was read, and what not' "$(cat "$tap_dir/out")" \
    'version 7, 3 certificates of 3 files; 1 there twice.*1 other files'
ok 'is shown' line roots show "$WORLD/roots.json" \
    --anchors "$D/station-anchors.pem"
shown=$(cat "$tap_dir/out")
like 'by version and signer' "$shown" 'version 7, signed by .*; 2 roots, 1 int'
like 'with vendor and subject' "$shown" '^Infineon  *CN=IFX EK CA'
like 'and fingerprint' "$shown" "SHA-256 $(openssl x509 -in "$WORLD/st.pem" \
    -outform DER | sha256sum | cut -d' ' -f1)"
ok 'the same for scripts' test "$(line roots show "$WORLD/roots.json" \
    --anchors "$D/station-anchors.pem" --json | grep -c '"vendor"')" = 3
fails 1 'roots.json' 'signed by nobody that is known' line roots show \
    "$WORLD/roots.json" --anchors "$WORLD/st.pem"
sed 's/"Infineon"/"Infinite"/' "$WORLD/roots.json" >"$WORLD/altered.json"
fails 1 'not those that were signed' 'another vendor' line roots show \
    "$WORLD/altered.json" --anchors "$D/station-anchors.pem"
ok 'signed by another key' line roots make "$V" --number 8 \
    -o "$WORLD/eight.json" --key "$WORLD/st.key" --cert "$WORLD/st.pem"
ok 'is shown under it' line roots show "$WORLD/eight.json" \
    --anchors "$WORLD/st.pem"
no_roots() {
    local code=$1 text=$2 what=$3
    shift 3
    fails "$code" "$text" "$what" line roots make "$V" -o "$WORLD/no.json" "$@"
    ok 'leaves nothing' test ! -e "$WORLD/no.json"
}
no_roots 2 '--number' 'no number'
no_roots 2 '--number' 'not a number' --number 0
no_roots 2 'belong together' 'half a signer' --number 9 --key "$WORLD/st.key"
no_roots 1 'is not the certificate of' "another's certificate" --number 9 \
    --key "$WORLD/st.key" --cert "$WORLD/ifx.pem"
printf 'junk' >"$V/ST/junk.pem"
no_roots 1 'ST/junk.pem' 'a file that is no certificate' --number 9
rm "$V/ST/junk.pem"
openssl req -x509 -key "$WORLD/st.key" -subj /CN=leaf -days 9 \
    -addext basicConstraints=critical,CA:FALSE -out "$V/ST/leaf.pem"
no_roots 1 "ST/leaf.pem.*is no CA" "a certificate that is no CA's" --number 9
rm "$V/ST/leaf.pem"
fails 5 'no such folder' 'no folder' line roots make "$WORLD/no such folder" \
    --number 9 -o "$WORLD/no.json"

# --- EK certificates that are elsewhere ---
tpm_up dev || bail 'no TPM'
export HWKEY_TCTI
in_device dev tpm2_createek -Q -G ecc -c "$WORLD/ek.ctx" -u "$WORLD/ek.pub" ||
    bail 'no EK'
in_device dev tpm2_readpublic -Q -c "$WORLD/ek.ctx" -f pem -o "$WORLD/ek.pem"
in_device dev tpm2_flushcontext -Q -t
openssl pkey -pubin -in "$WORLD/ek.pem" -outform DER -out "$WORLD/ek.spki"
sha=$(sha256sum "$WORLD/ek.spki" | cut -d' ' -f1)
# ek_cert PUBLIC FILE: its certificate in DER
ek_cert() {
    openssl req -new -key "$WORLD/st.key" -subj / |
        openssl x509 -req -CA "$WORLD/ica.pem" -CAkey "$WORLD/ica.key" \
            -force_pubkey "$1" -days 9 -outform DER -out "$2" 2>/dev/null
}
mkdir "$WORLD/www" "$WORLD/given"
ek_cert "$WORLD/ek.pem" "$WORLD/www/$sha"
openssl pkey -in "$WORLD/ifx.key" -pubout -out "$WORLD/other.pub"
ek_cert "$WORLD/other.pub" "$WORLD/www/other"
head -c 10485760 /dev/zero >"$WORLD/www/ten"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$WORLD/www.key" -out "$WORLD/www.pem" -subj /CN=vendor -days 9 \
    -addext subjectAltName=DNS:localhost 2>/dev/null
cd "$WORLD/www" || bail 'no folder'
openssl s_server -WWW -accept 127.0.0.1:0 -key "$WORLD/www.key" \
    -cert "$WORLD/www.pem" >"$WORLD/www.out" 2>&1 </dev/null &
www=$!
WORLD_PIDS="$WORLD_PIDS $www"
port=$(wait_text 'ACCEPT.*:\([0-9]*\)$' "$WORLD/www.out" $www)
cd / || bail 'no folder'
fetch() {
    in_device dev "$F" ek-fetch "$D" --device tpm2: --type P-256 \
        -o "$WORLD/ek" "$@"
}
no_fetch() {
    local code=$1 text=$2 what=$3
    shift 3
    fails "$code" "$text" "$what" fetch "$@"
    ok 'leaves nothing' test ! -e "$WORLD/ek"
}
at=https://localhost:$port
no_fetch 1 'certificate refused' 'a server that nobody vouches for' \
    --url "$at/{sha256}"
no_fetch 1 'certificate refused' 'another name than its own' \
    --url "https://127.0.0.1:$port/{sha256}" --ca "$WORLD/www.pem"
no_fetch 2 'only https:' 'a URL without TLS' --url "http://localhost:$port/x"
no_fetch 1 'another endorsement key' "another TPM's certificate" \
    --url "$at/other" --ca "$WORLD/www.pem"
no_fetch 1 'more than 65536 bytes' '10 MB' --url "$at/ten" \
    --ca "$WORLD/www.pem"
no_fetch 1 'are none' 'a page that is no certificate' --url "$at/absent" \
    --ca "$WORLD/www.pem"
no_fetch 2 'is not known' 'a word that nobody knows' --url "$at/{uuid}" \
    --ca "$WORLD/www.pem"
no_fetch 2 'one of --url and --folder' 'nowhere'
no_fetch 4 'refused' 'nobody there' --url 'https://127.0.0.1:1/x'
ok 'its own' fetch --url "$at/{sha256}" --ca "$WORLD/www.pem"
ok 'is kept by the hash of the key' cmp "$WORLD/www/$sha" "$WORLD/ek/$sha.der"
rm -r "$WORLD/ek"
printf 'junk' >"$WORLD/given/a"
mkdir "$WORLD/given/b"
cp "$WORLD/www/other" "$WORLD/given/c"
no_fetch 1 'none of its 3 files' 'a folder without it' --folder "$WORLD/given"
openssl x509 -inform DER -in "$WORLD/www/$sha" -out "$WORLD/given/d"
ok 'a folder with it among others' fetch --folder "$WORLD/given"
ok 'in the same place' cmp "$WORLD/www/$sha" "$WORLD/ek/$sha.der"
rm -r "$WORLD/ek"
ok 'of a key in a file' "$F" ek-fetch "$D" --ek-public "$WORLD/ek.pub" \
    --folder "$WORLD/given" -o "$WORLD/ek"
ok 'the same' cmp "$WORLD/www/$sha" "$WORLD/ek/$sha.der"
done_testing
