"""KasmVNC's web server and the session's other services, as far as something that connects to them can tell."""

import base64
import functools
import http.server
import os
import ssl
import subprocess
import threading

HOME, PAGES = os.environ["HOME"], os.environ["KASM_VNC_PATH"] + "/www"
LOGIN = "Basic " + base64.b64encode(f"kasm_user:{os.environ['VNC_PW']}".encode()).decode()


class Pages(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class PagesWithLogin(Pages):
    def do_GET(self):
        if self.headers["Authorization"] == LOGIN:
            super().do_GET()
        else:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="Websockify"')
            self.end_headers()


def serve(port, handler, context=None):
    server = http.server.ThreadingHTTPServer(("", port), functools.partial(handler, directory=PAGES))
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever).start()


certificate = HOME + "/.vnc/self.pem"
subprocess.run(
    ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "3650", "-subj", "/CN=kasm"]
    + ["-keyout", certificate, "-out", certificate + ".crt"],
    check=True,
    stderr=subprocess.DEVNULL,
)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate + ".crt", certificate)
serve(int(os.environ["NO_VNC_PORT"]), PagesWithLogin, context)
for port in 4901, 8081:
    serve(port, Pages)
