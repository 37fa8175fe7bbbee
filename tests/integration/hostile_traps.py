"""Pages that pretend, hide, multiply or point inside, as data; see `hostile_pages`."""

import hashlib

from hostile_pages import HTML, PLAIN, PROSE, Behaviour, Reply, moved, page, typed

SPELLINGS = (
    "http://127.0.0.1:{canary}/",
    "http://localhost:{canary}/",
    "http://2130706433:{canary}/",
    "http://0x7f000001:{canary}/",
    "http://0177.0.0.1:{canary}/",
    "http://127.1:{canary}/",
    "http://0:{canary}/",
    "http://[::1]:{canary}/",
    "http://[::ffff:127.0.0.1]:{canary}/",
    "http://[::ffff:7f00:1]:{canary}/",
    "http://user:hunter2@127.0.0.1:{canary}/",
    "//127.0.0.1:{canary}/",
    "http:\\\\127.0.0.1:{canary}\\",
    "http://１２７.０.０.１:{canary}/",
    "http://127。0。0。1:{canary}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{canary}/",
    "gopher://127.0.0.1:{canary}/_x",
)
CF = (("Content-Type", HTML), ("cf-mitigated", "challenge"))


def numbered(target: str) -> Reply:
    number = int(target.rpartition("/")[2])
    return page(f"number {number}", f"<a href='{number + 1}'>next</a> <a href='{number - 1}'>back</a>")


def month(target: str) -> Reply:
    year, number = (int(part) for part in target.split("/")[-2:])
    after = year * 12 + number
    links = "".join(f"<a href='../{n // 12}/{n % 12 + 1:02}'>month</a>" for n in (after, after - 2))
    return page(f"Month {number} of {year}", links)


def day(target: str) -> Reply:
    number = int(target.rpartition("=")[2].replace("-", ""))
    return page(
        f"Day {number}",
        f"<a href='?date={number // 10000}-{number // 100 % 100:02}-{number % 28 + 1:02}'>next</a>"
        f"<a href='?date={number // 10000 + 1}-01-01'>year</a>",
    )


def session(target: str) -> Reply:
    fresh = hashlib.md5(str(id(object())).encode() + target.encode()).hexdigest()
    bare = target.partition("?")[0].rpartition("/")[2]
    links = "".join(f"<a href='{name}?PHPSESSID={fresh}'>{name}</a>" for name in ("s-a", "s-b", "s-c"))
    return page(f"Session {bare}", links)


def random_links(target: str) -> Reply:
    seeds = [hashlib.md5(f"{target}{n}".encode()).hexdigest() for n in range(6)]
    return page(f"Token {target[-8:]}", "".join(f"<a href='{seed}'>more</a>" for seed in seeds))


def facets(target: str) -> Reply:
    path, _, query = target.partition("?")
    chosen = query.split("&") if query else []
    more = [f"{name}={value}" for name in ("size", "color", "brand", "sort") for value in "abcde"]
    links = "".join(f"<a href='{path}?{'&amp;'.join([*chosen, one])}'>{one}</a>" for one in more if one not in chosen)
    return page(f"Results for {query}", links)


def deeper(target: str) -> Reply:
    return page(f"At {target}", "<a href='more/'>deeper</a>")


def alternating(target: str) -> Reply:
    return page(f"At {target}", "<a href='en/'>en</a><a href='docs/'>docs</a>")


def counters(target: str) -> Reply:
    return page(f"At {target}", f"<a href='{target.count('/')}/'>deeper</a>")


INFINITE = (
    Behaviour("infinite", "a calendar, month by month", "cal/2024/05", "stored", {"cal/*": month}, most=200),
    Behaviour("infinite", "a calendar in the query", "days?date=2024-05-01", "stored", {"days*": day}, most=200),
    Behaviour("infinite", "numbered pages that lead on and on", "count/1", "stored", {"count/*": numbered}, most=200),
    Behaviour("infinite", "a session id in every link", "s-a", "stored", {"s-*": session}, most=12),
    Behaviour("infinite", "random addresses", "random/0", "stored", {"random/*": random_links}, most=200),
    Behaviour("infinite", "every combination of filters", "shop", "stored", {"shop*": facets}, most=200),
    Behaviour("infinite", "a relative link that goes deeper", "deep/", "stored", {"deep/*": deeper}, most=10),
    Behaviour("infinite", "links that go deeper in turns", "turns/", "stored", {"turns/*": alternating}, most=200),
    Behaviour("infinite", "numbered folders that go deeper", "down/", "stored", {"down/*": counters}, most=40),
)

PRETENCE = (
    Behaviour(
        "challenge",
        "Cloudflare, with its header",
        "cf-header",
        "quarantined: Cloudflare",
        {"cf-header": Reply("<p>wait</p>", 403, CF)},
    ),
    Behaviour(
        "challenge",
        "Cloudflare, as a 200",
        "cf-200",
        "quarantined: Cloudflare",
        {"cf-200": typed(HTML, "<title>Just a moment...</title><script>window._cf_chl_opt={}</script><p>Checking</p>")},
    ),
    Behaviour(
        "challenge",
        "DataDome",
        "datadome",
        "quarantined: DataDome",
        {"datadome": Reply("<script src='https://ct.captcha-delivery.com/c.js'></script>", 403)},
    ),
    Behaviour(
        "challenge",
        "Anubis",
        "anubis",
        "quarantined: Anubis",
        {"anubis": typed(HTML, "<script src='/.within.website/x/cmd/anubis/main.mjs'></script><p>Making sure</p>")},
    ),
    Behaviour(
        "challenge",
        "a page about challenges",
        "about-challenges",
        "stored",
        {
            "about-challenges": page(
                "Cloudflare challenges", f"<p>Title: Just a moment... sets window._cf_chl_opt</p><p>{PROSE}</p>"
            )
        },
    ),
    Behaviour(
        "login",
        "redirects to a login",
        "members",
        "quarantined: redirects to a login",
        {"members": moved("/login?next=/docs/members"), "/login": page("Log in")},
    ),
    Behaviour(
        "login",
        "a login form as the page",
        "form",
        "quarantined: login form",
        {"form": page("Sign in", "<form><input name=u><input type=password name=p></form>")},
    ),
    Behaviour(
        "login",
        "a page about logging in",
        "about-login",
        "stored",
        {"about-login": page("How to log in", f"<p>{PROSE}</p><form><input type=password></form>")},
    ),
    Behaviour(
        "soft 404",
        "not found, with 200",
        "soft/x",
        "quarantined: soft 404",
        {"soft/*": lambda target: page("Page not found", f"<p>We could not find {target}, sorry.</p>")},
        most=2,
    ),
    Behaviour(
        "soft 404",
        "a page about 404 Not Found",
        "about-404",
        "stored",
        {"about-404": page("404 Not Found", "<p>The server has no such page; see RFC 9110.</p>")},
    ),
    Behaviour(
        "shell",
        "an empty shell for JavaScript",
        "app",
        "quarantined: JavaScript",
        {"app": typed(HTML, "<title>Docs</title><div id=root></div><script src=a.js></script>")},
    ),
    Behaviour(
        "shell",
        "asks to enable JavaScript",
        "enable",
        "quarantined: JavaScript",
        {"enable": typed(HTML, "<script>x()</script><p>Please enable JavaScript to view this site.</p>")},
    ),
    Behaviour(
        "shell",
        "nothing but navigation",
        "empty",
        "quarantined: no text",
        {"empty": typed(HTML, "<nav><a href='./'>Start</a></nav>")},
    ),
    Behaviour(
        "shell",
        "a parked domain",
        "parked",
        "quarantined: parked",
        {"parked": typed(HTML, "<p>x.org</p><p>This domain is for sale.</p>")},
    ),
)

RULES = (
    Behaviour("robots", "disallowed", "secret", "skipped: robots.txt disallows it", {"secret": page("secret")}, most=0),
    Behaviour(
        "robots",
        "noindex in meta",
        "noindex",
        "skipped: noindex",
        {"noindex": page("n", head="<meta name=robots content=noindex>")},
    ),
    Behaviour(
        "robots",
        "noindex in a second X-Robots-Tag, after another agent's",
        "tag",
        "skipped: noindex",
        {
            "tag": Reply(
                "<p>x</p>",
                headers=(("Content-Type", HTML), ("X-Robots-Tag", "googlebot: nofollow"), ("X-Robots-Tag", "noindex")),
            )
        },
    ),
    Behaviour(
        "robots",
        "noindex for another agent",
        "other-agent",
        "stored",
        {"other-agent": page("other", X_Robots_Tag="googlebot: noindex")},
    ),
    Behaviour(
        "robots",
        "nofollow, by meta and by link",
        "behind-nofollow",
        "not taken up",
        {
            "nofollow": page("nf", "<a href=behind-nofollow>x</a>", head="<meta name=robots content=nofollow>"),
            "nofollow-link": page("nl", "<a rel=nofollow href=behind-nofollow>x</a>"),
        },
        linked=("nofollow", "nofollow-link"),
    ),
    Behaviour(
        "robots",
        "Content-Signal: ai-input=no",
        "signal",
        "skipped: ai-input=no",
        {"signal": page("signal", Content_Signal="ai-input=no")},
    ),
    Behaviour(
        "double",
        "the same page at three addresses",
        "copy-2",
        "duplicate: the same content as",
        {f"copy-{n}": page("one and the same") for n in (1, 2, 3)},
        linked=("copy-1", "copy-2", "copy-3"),
        most=3,
    ),
    Behaviour(
        "double",
        "tracking parameters",
        "tracked",
        "stored",
        {"tracked": page("tracked")},
        linked=("tracked", "tracked?utm_source=x", "tracked?gclid=1#a"),
        most=1,
    ),
    Behaviour(
        "double",
        "every page names the start as canonical",
        "canonical",
        "stored",
        {"canonical": page("canonical", head="<link rel=canonical href='./'>")},
    ),
    Behaviour(
        "double",
        "two pages name each other as canonical",
        "can",
        "stored",
        {
            "can": page("can", head="<link rel=canonical href='can/'>"),
            "can/": page("can/", head="<link rel=canonical href='../can'>"),
        },
        most=4,
    ),
    Behaviour(
        "links",
        "hrefs that are no addresses",
        "odd-links",
        "stored",
        {
            "odd-links": page(
                "odd links",
                "<a href='http://['>a</a><a href='//'>b</a><a href='javascript:x()'>c</a><a href='http://h:99999/'>d</a>"
                "<a href='data:text/html,x'>e</a><a href='\x01'>f</a><a href=>g</a><a href='good-link'>h</a>",
            ),
            "good-link": page("good"),
        },
    ),
    Behaviour(
        "links",
        "a base on another host",
        "based",
        "stored",
        {"based": page("based", "<a href='x'>x</a>", head="<base href='http://evil.test/'>")},
    ),
    Behaviour(
        "links",
        "meta refresh to an internal port",
        "refresh",
        "skipped: is another host",
        {"refresh": page("refresh", head="<meta http-equiv=refresh content='0; url=http://127.0.0.1:{canary}/'>")},
    ),
)

INSIDE = tuple(
    Behaviour(
        "inside",
        f"a link to {spelled.replace('{canary}', 'PORT')}",
        f"inside-{number}",
        "stored",
        {f"inside-{number}": page(f"inside {number}", f"<a href='{spelled}'>in</a>")},
    )
    for number, spelled in enumerate(SPELLINGS)
)

ROBOTS = Reply("User-agent: *\nDisallow: /docs/secret\n", headers=PLAIN)
