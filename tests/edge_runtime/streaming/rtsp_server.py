"""GStreamer's RTSP server as a process: plays a Matroska film of H.264 at /lobby, in real time.

    python rtsp_server.py PORT FILM USER PASSWORD TRANSPORTS

Who asks says user and password by digest. TRANSPORTS is GstRTSPLowerTrans: 1 UDP, 4 TCP. It says
"ready" when it listens. By ctypes, as its Python bindings are made for Debian's own Python only.
"""

import ctypes
import sys
from ctypes import c_char_p, c_int, c_uint, c_void_p
from typing import Any, Final

RTSP: Final = ctypes.CDLL("libgstrtspserver-1.0.so.0")
GST: Final = ctypes.CDLL("libgstreamer-1.0.so.0")
GLIB: Final = ctypes.CDLL("libglib-2.0.so.0")
DIGEST: Final = 2
ROLE: Final = b"viewer"


def call(library: ctypes.CDLL, name: str, returns: Any, *arguments: Any) -> Any:
    """Call a function; int stands for gint, bytes for a string, everything else for a pointer."""
    kinds: dict[type, Any] = {int: c_int, bytes: c_char_p}
    function = library[name]
    function.restype = returns
    function.argtypes = [kinds.get(type(argument), c_void_p) for argument in arguments]
    return function(*arguments)


def pointer(library: ctypes.CDLL, name: str, *arguments: Any) -> c_void_p:
    """Call a function that returns a pointer."""
    return c_void_p(call(library, name, c_void_p, *arguments))


def protect(server: c_void_p, factory: c_void_p, user: bytes, password: bytes) -> None:
    """Let only `user` see what `factory` makes."""
    token = pointer(RTSP, "gst_rtsp_token_new_empty")
    call(RTSP, "gst_rtsp_token_set_string", None, token, b"media.factory.role", ROLE)
    auth = pointer(RTSP, "gst_rtsp_auth_new")
    call(RTSP, "gst_rtsp_auth_set_supported_methods", None, auth, DIGEST)
    call(RTSP, "gst_rtsp_auth_add_digest", None, auth, user, password, token)
    call(RTSP, "gst_rtsp_server_set_auth", None, server, auth)
    allowed = pointer(RTSP, "gst_rtsp_permissions_new")
    for what in (b"media.factory.access", b"media.factory.construct"):
        allow = "gst_rtsp_permissions_add_permission_for_role"
        call(RTSP, allow, None, allowed, ROLE, what, 1)
    call(RTSP, "gst_rtsp_media_factory_set_permissions", None, factory, allowed)


def main() -> None:
    """Serve until killed."""
    port, film, user, password = (argument.encode() for argument in sys.argv[1:5])
    call(GST, "gst_init", None, None, None)
    server = pointer(RTSP, "gst_rtsp_server_new")
    call(RTSP, "gst_rtsp_server_set_address", None, server, b"127.0.0.1")
    call(RTSP, "gst_rtsp_server_set_service", None, server, port)
    factory = pointer(RTSP, "gst_rtsp_media_factory_new")
    launch = b'( filesrc location="%s" ! matroskademux ! rtph264pay name=pay0 config-interval=-1 )'
    call(RTSP, "gst_rtsp_media_factory_set_launch", None, factory, launch % film)
    call(RTSP, "gst_rtsp_media_factory_set_protocols", None, factory, int(sys.argv[5]))
    protect(server, factory, user, password)
    mounts = pointer(RTSP, "gst_rtsp_server_get_mount_points", server)
    call(RTSP, "gst_rtsp_mount_points_add_factory", None, mounts, b"/lobby", factory)
    if not call(RTSP, "gst_rtsp_server_attach", c_uint, server, None):
        sys.exit(f"cannot listen on port {sys.argv[1]}")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    call(GLIB, "g_main_loop_run", None, pointer(GLIB, "g_main_loop_new", None, 0))


if __name__ == "__main__":
    main()
