"""The clients of the languages that Debian serves: everything but Python and Node.

Debian 12's own packages come by apt-get. What only a newer release has, and consists of scripts or
sources, is unpacked into the client's folder (debian/fetch.sh); so is what Debian has as sources
only. No other registry for these languages can be counted on.
"""

from __future__ import annotations

from tests.clients.catalogue import Apt, Build, Client

FETCHES = Apt(("debian-archive-keyring",))
"""What fetching needs: the keys that a release is signed with."""

RUBY_GEMS = ("GEM_PATH", "{home}/usr/share/rubygems-integration/all")
"""Has Ruby take its libraries from the client's folder only."""


def _fetch(kind: str, suite: str, *packages: str) -> Build:
    """Fetch packages of any release: `unpack` them, or get the `source` of one."""
    return Build(("sh", "{root}/tests/clients/debian/fetch.sh", kind, suite, *packages))


REDIS_SOURCES = _fetch("source", "bookworm", "redis")
"""Redis' own sources hold a client for C and one for Tcl."""

COMPILE = ("gcc", "-std=gnu99", "-Wall", "-Wextra", "-Werror", "-O1", "-o", "program", "{program}")

NEWER_HIREDIS = tuple(
    f"source/deps/hiredis/{name}.c"
    for name in ("alloc", "async", "hiredis", "net", "read", "sds", "sockcompat")
)

RUBY = (
    Client(
        name="redis-rb-4",
        version="?.*",
        language="Ruby",
        program="ruby/redis_rb.rb",
        command=("ruby", "{program}"),
        install=(Apt(("ruby", "ruby-redis")),),
        protocols=(2,),
        quick=True,
    ),
    Client(
        name="redis-rb-4-hiredis",
        version="?.*",
        language="Ruby",
        program="ruby/redis_rb.rb",
        command=("ruby", "-r", "redis/connection/hiredis", "{program}"),
        install=(Apt(("ruby", "ruby-redis", "ruby-hiredis")),),
        protocols=(2,),
    ),
    Client(
        name="redis-rb-5",
        version="5.*",
        language="Ruby",
        program="ruby/redis_rb.rb",
        command=("ruby", "{program}"),
        install=(
            Apt(("ruby",)),
            FETCHES,
            _fetch("unpack", "trixie", "ruby-redis", "ruby-redis-client", "ruby-connection-pool"),
        ),
        protocols=(2,),  # Its methods misread the maps of RESP3.
        environment=(RUBY_GEMS,),
    ),
    Client(
        name="redis-rb-6",
        version="6.*",
        language="Ruby",
        program="ruby/redis_rb.rb",
        command=("ruby", "{program}"),
        install=(
            Apt(("ruby",)),
            FETCHES,
            _fetch("unpack", "sid", "ruby-redis", "ruby-redis-client"),
            _fetch("unpack", "trixie", "ruby-connection-pool"),  # sid's needs Ruby 3.2.
        ),
        environment=(RUBY_GEMS,),
    ),
)

PHP = (
    Client(
        name="phpredis",
        version="?.*",
        language="PHP",
        program="php/phpredis.php",
        command=("php", "{program}"),
        install=(Apt(("php-cli", "php-redis")),),
        protocols=(2,),
        quick=True,
    ),
    Client(
        name="predis-1",
        version="?.*",
        language="PHP",
        program="php/predis.php",
        command=("php", "{program}"),
        install=(Apt(("php-cli", "php-predis")),),
        protocols=(2,),
        quick=True,
    ),
    Client(
        name="predis-2",
        version="2.*",
        language="PHP",
        program="php/predis.php",
        command=("php", "-d", "include_path={home}/usr/share/php", "{program}"),
        install=(Apt(("php-cli",)), FETCHES, _fetch("unpack", "trixie", "php-predis")),
        protocols=(2,),
    ),
)

PERL = (
    Client(
        name="perl-redis",
        version="?.*",
        language="Perl",
        program="perl/redis.pl",
        command=("perl", "{program}", "Redis"),
        install=(Apt(("perl", "libredis-perl")),),
        protocols=(2,),
        quick=True,
    ),
    Client(
        name="perl-redis-fast",
        version="0.*",
        language="Perl",
        program="perl/redis.pl",
        command=("perl", "{program}", "Redis::Fast"),
        install=(Apt(("perl", "libredis-fast-perl")),),
        protocols=(2,),
        quick=True,
    ),
)

GO = tuple(
    Client(
        name=name,
        version=version,
        language="Go",
        program=f"go/{binary}.go",
        command=(f"{{home}}/{binary}",),
        install=(FETCHES, Build(("sh", "{root}/tests/clients/go/build.sh"))),
        protocols=protocols,
        folder="go",
    )
    for name, version, binary, protocols in (
        ("go-redis-9", "9.*", "goredis", (2, 3)),
        ("go-redis-5", "5.*", "goredis5", (2,)),
        ("redigo", "1.*", "redigo", (2,)),
    )
)

C = (
    Client(
        name="hiredis-0.14",
        version="0.*",
        language="C",
        program="c/hiredis.c",
        command=("{home}/program",),
        install=(
            Apt(("gcc", "libc6-dev", "libhiredis-dev")),
            Build((*COMPILE, "-I/usr/include/hiredis", "-lhiredis")),
        ),
        protocols=(2,),
    ),
    Client(
        name="hiredis-1",
        version="1.*",
        language="C",
        program="c/hiredis.c",
        command=("{home}/program",),
        install=(
            Apt(("gcc", "libc6-dev", "dpkg-dev")),
            FETCHES,
            REDIS_SOURCES,
            Build((*COMPILE, "-Isource/deps/hiredis", *NEWER_HIREDIS)),
        ),
    ),
)

REST = (
    Client(
        name="redis-lua",
        version="2.*",
        language="Lua",
        program="lua/redis_lua.lua",
        command=("lua5.1", "{program}"),
        install=(Apt(("lua5.1", "lua-redis")),),
        protocols=(2,),
        quick=True,
    ),
    Client(
        name="redis.tcl",
        version="?.*",
        language="Tcl",
        program="tcl/redis_tcl.tcl",
        command=("tclsh", "{program}"),
        install=(Apt(("tcl", "dpkg-dev")), FETCHES, REDIS_SOURCES),
    ),
    Client(
        name="eredis",
        version="1.*",
        language="Erlang",
        program="erlang/eredis.escript",
        command=("escript", "{program}"),
        install=(Apt(("erlang-base", "erlang-redis-client")),),
        protocols=(2,),
    ),
    Client(
        name="redis-cli",
        version="?.*",
        language="shell",
        program="cli/redis_cli.sh",
        command=("sh", "{program}"),
        install=(Apt(("redis-tools",)),),
        protocols=(2,),
        quick=True,
    ),
)


def _absent(name: str, version: str, language: str, reason: str) -> Client:
    """Return the row of a client that cannot be had."""
    return Client(name, version, language, "", (), (), missing=reason)


ABSENT = (
    _absent("Jedis", "", "Java", "it is on Maven Central only; Debian has no Java client"),
    _absent("Lettuce", "", "Java", "it is on Maven Central only; Debian has no Java client"),
    _absent("redis-rs", "", "Rust", "Debian 12 has none; sid's needs dozens of further packages"),
    _absent("rueidis", "", "Go", "it comes from Go's module proxy only; no Debian release has it"),
)

OTHERS: tuple[Client, ...] = (*RUBY, *PHP, *PERL, *GO, *C, *REST, *ABSENT)
