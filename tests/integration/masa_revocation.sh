#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Registrars whose certificates name a CRL, at a MASA that asks for it beside
# its work: good ones, revoked ones, and servers that are slow, endless, wrong.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/masa.inc"
trap world_end EXIT

# what has the lists: /slow never answers, /endless never ends, /ocsp/ is
# answered by openssl of domain.index, others are files
crl_server() {
    mkdir -p "$WORLD/crl"
    cat >"$WORLD/crl-server" <<'END'
import base64, http.server, os, socketserver, subprocess, sys, tempfile
import urllib.parse

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

def ocsp(text):
    world = os.path.dirname(sys.argv[1])
    with tempfile.TemporaryDirectory(dir=world) as d:
        with open(d + "/req", "wb") as f:
            f.write(base64.b64decode(urllib.parse.unquote(text), validate=True))
        subprocess.run(["openssl", "ocsp", "-index", world + "/domain.index",
                        "-CA", world + "/domain.pem", "-rsigner",
                        world + "/domain.pem", "-rkey", world + "/domain.key",
                        "-reqin", d + "/req", "-respout", d + "/resp",
                        "-ndays", "1"], check=True, capture_output=True)
        return open(d + "/resp", "rb").read()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            self.connection.recv(1)
            return
        self.send_response(200)
        self.end_headers()
        try:
            while self.path == "/endless":
                self.wfile.write(bytes(65536))
            if self.path.startswith("/ocsp/"):
                self.wfile.write(ocsp(self.path[6:]))
            else:
                self.wfile.write(open(sys.argv[1] + self.path, "rb").read())
        except OSError:
            pass

    def log_message(self, *a):
        pass

server = Server(("127.0.0.1", 0), Handler)
print('{"event":"listening","port":%d}' % server.server_port, flush=True)
server.serve_forever()
END
    start maker "$WORLD/crl.out" python3 "$WORLD/crl-server" "$WORLD/crl"
    CRL_PORT=$(wait_listening "$WORLD/crl.out" "$STARTED")
}

# a registrar of CA whose certificate names that path
named() { # NAME CA PATH
    registrar_cert "$1" "$2" \
        "crlDistributionPoints = URI:http://127.0.0.1:$CRL_PORT/$3"
}

named_ocsp() { # NAME
    registrar_cert "$1" domain \
        "authorityInfoAccess = OCSP;URI:http://127.0.0.1:$CRL_PORT/ocsp"
}

# list CA [CERT ...]: its CRL, of those that it revoked
list() {
    local ca=$1 c
    shift
    : >"$WORLD/$ca.index"
    printf '[ca]\ndefault_ca = d\n[d]\ndatabase = %s\n' "$WORLD/$ca.index" \
        >"$WORLD/$ca.cnf"
    printf 'default_md = sha256\ndefault_crl_days = 5\n' >>"$WORLD/$ca.cnf"
    printf 'crl_extensions = x\n[x]\nauthorityKeyIdentifier = keyid\n' \
        >>"$WORLD/$ca.cnf"
    for c; do
        openssl ca -config "$WORLD/$ca.cnf" -cert "$WORLD/$ca.pem" \
            -keyfile "$WORLD/$ca.key" -revoke "$WORLD/$c.pem" || return 1
    done 2>/dev/null
    openssl ca -config "$WORLD/$ca.cnf" -cert "$WORLD/$ca.pem" \
        -keyfile "$WORLD/$ca.key" -gencrl -out "$WORLD/crl/$ca.pem" 2>/dev/null
}

# as a registrar does that is told to come again
asks() { # NAME
    local status i
    BY=$1 request "$1" --nonce "$1"
    for ((i = 0; i < 300; i++)); do
        status=$(ask $BRSKI/requestvoucher "$1.vcj")
        [ "$status" = 503 ] && grep -q 'being looked at' "$REPLY_FILE" || break
        pause
    done
    echo "$status"
}

world_begin
crl_server
POLICY='revocation-private = yes
revocation-seconds = 1'
ok 'a MASA' bare_masa || bail 'no MASA'
named good domain domain.pem
named bad domain domain.pem
named slow domain slow
named endless domain endless
named wrong domain other.pem
named gone domain nothing.pem
named_ocsp lively
named_ocsp dead
named_ocsp strange # of which the responder does not know
ca other 'Another CA'
ok 'a list' list domain bad dead
printf 'V\t991231235959Z\t\t%s\tunknown\t/CN=lively\n' "$(openssl x509 \
    -in "$WORLD/lively.pem" -noout -serial | cut -d= -f2)" \
    >>"$WORLD/domain.index"
ok 'another'"'"'s list' list other

BY=slow request slow --nonce s
is 'R-M-5: a slow server: it comes again' \
    "$(ask $BRSKI/requestvoucher slow.vcj)" 503
like 'in some seconds' "$(cat "$REPLY_FILE.head")" '[Rr]etry-[Aa]fter: 2'
request other --nonce o
is 'R-M-5: others are served meanwhile' \
    "$(ask $BRSKI/requestvoucher other.vcj)" 200
for what in endless wrong gone strange lively dead bad good; do
    BY=$what request $what --nonce "$what" # all are looked at together
    ask $BRSKI/requestvoucher $what.vcj >/dev/null
done
is 'R-M-5: one that is on no list' "$(asks good)" 200
is 'R-M-5, R-M-37: one that was revoked' "$(asks bad)" 403
like 'R-M-23: a text says so' "$(cat "$REPLY_FILE")" 'is revoked'
is 'R-M-5: OCSP says that it is good' "$(asks lively)" 200
is 'R-M-5: OCSP says that it was revoked' "$(asks dead)" 403
for what in slow endless wrong gone strange; do
    is "R-M-5: $what: it counts as good" "$(asks $what)" 200
done
is 'all that is on record' "$(grep -c 'revocation .*found=nothing' \
    "$WORLD/masa.out.err")" 5

bare_stop
POLICY='revocation = require'
ok 'without an answer no voucher' bare_start
BY=wrong request wrong --nonce w2
is 'R-M-5: nobody could say' "$(ask $BRSKI/requestvoucher wrong.vcj)" 503
like 'so it is told' "$(cat "$REPLY_FILE")" 'is not known'
BY=good request good --nonce g2
is 'R-M-5: one that is good still' "$(ask $BRSKI/requestvoucher good.vcj)" 200
named inside domain domain.pem
is 'an address of ours is not asked' "$(asks inside)" 503
like 'so it is logged' "$(grep -c 'address that is not public' \
    "$WORLD/masa.out.err")" '^[1-9]'
ok 'for this device it need not' masa policy set device BARE-1 revocation=never
BY=inside request inside --nonce i2
is 'nobody is asked' "$(ask $BRSKI/requestvoucher inside.vcj)" 200
done_testing
