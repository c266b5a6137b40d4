"""The headers of every page: what runs and is loaded is ours; a page speaks to this server, and to a SAMP hub on its reader's machine."""

SAMP_HUB = "http://localhost:21012"
"""Where hubs listen to web pages (SAMP 1.3 §5.2.1)."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    f"connect-src 'self' {SAMP_HUB}; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
