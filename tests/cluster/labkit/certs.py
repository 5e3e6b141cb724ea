"""One CA, a certificate for each who speaks, the service-account key pair, and kubeconfigs that carry them inside.

Made by the openssl command: Python's standard library cannot sign. Elliptic keys, leaves in parallel: 0.1 s in all.
"""

import base64
import dataclasses
import json
import pathlib
import subprocess

from .errors import LabError

# Own configuration, so that what the machine's openssl.cnf says does not matter.
CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = unused
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign,digitalSignature
subjectKeyIdentifier = hash
[client]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1
"""

# File name → (subject, section). What Kubernetes calls the users: RBAC's bootstrap roles are bound to these names.
LEAVES = {
    "server": ("/CN=kube-apiserver", "server"),
    "admin": ("/O=system:masters/CN=plumbline-lab-admin", "client"),
    "kube-controller-manager": ("/CN=system:kube-controller-manager", "client"),
    "kube-scheduler": ("/CN=system:kube-scheduler", "client"),
}


@dataclasses.dataclass(frozen=True)
class Pki:
    """A folder of keys and certificates."""

    folder: pathlib.Path

    def certificate(self, name: str) -> pathlib.Path:
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> pathlib.Path:
        return self.folder / f"{name}.key"

    def kubeconfig(self, user: str, server: str) -> str:
        """A kubeconfig for one of the leaves, self-contained: it may be copied anywhere."""

        def inline(path: pathlib.Path) -> str:
            return base64.b64encode(path.read_bytes()).decode()

        # JSON is YAML, and needs no quoting rules of our own.
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {"name": "lab", "cluster": {"server": server, "certificate-authority-data": inline(self.certificate("ca"))}}
                ],
                "users": [
                    {
                        "name": user,
                        "user": {
                            "client-certificate-data": inline(self.certificate(user)),
                            "client-key-data": inline(self.key(user)),
                        },
                    }
                ],
                "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}],
                "current-context": "lab",
            },
            indent=1,
        )


def create(folder: pathlib.Path) -> Pki:
    """Fill a new folder."""
    folder.mkdir(mode=0o700)
    pki = Pki(folder)
    config = folder / "openssl.cnf"
    config.write_text(CONFIG)

    def request(name: str, subject: str, section: str, *more: str) -> list[str]:
        return [
            *("openssl", "req", "-x509", "-config", str(config), "-extensions", section, "-subj", subject, "-days", "30"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(pki.key(name)), "-out", str(pki.certificate(name)), *more),
        ]

    signed = ("-CA", str(pki.certificate("ca")), "-CAkey", str(pki.key("ca")))
    private, public = str(folder / "service-accounts.key"), str(folder / "service-accounts.pub")
    _together([request("ca", "/CN=plumbline-lab", "authority")])
    _together(
        [
            *(request(name, subject, section, *signed) for name, (subject, section) in LEAVES.items()),
            ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", private],
        ]
    )
    _together([["openssl", "ec", "-in", private, "-pubout", "-out", public]])
    return pki


def _together(commands: list[list[str]]) -> None:
    try:
        running = [
            subprocess.Popen(c, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for c in commands
        ]
    except FileNotFoundError:
        raise LabError("there is no `openssl` on PATH (3.0 or later)") from None
    outcomes = [(process, process.communicate()[0]) for process in running]
    for process, output in outcomes:
        if process.returncode != 0:
            raise LabError(f"openssl failed (3.0 or later is needed): {' '.join(process.args)}\n{output}")
