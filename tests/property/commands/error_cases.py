"""Every error text that the commands about queues give without looking at one, to the byte.

Those that only the queue can tell are in the table of `shape_cases`, or in the tests of the
engines. None of them closes the connection; that is a law of `tests/property/test_connection.py`.
"""

from __future__ import annotations

SYNTAX = "ERR syntax error"
INVALID_ID = "ERR Invalid stream ID specified as stream command argument"
INTEGER = "ERR value is not an integer or out of range"
START = "ERR invalid start ID for the interval"
END = "ERR invalid end ID for the interval"
QUEUE = "ERR invalid queue: expected 1 to 512 bytes of UTF-8, with at most one ::dead, at the end"
SECONDS = "expected seconds from 0.000001 to 3153600000, as in 90 or 0.5"
NULLABLE = "expected seconds from 0 to 3153600000, as in 90 or 0.5"
KNOWN = (
    "ezra.ttl, ezra.max_attempts, ezra.visibility_timeout, ezra.delay, ezra.run_at, "
    "ezra.priority, ezra.dedup_key, ezra.dedup_ttl"
)
NO_DEAD = "ERR invalid queue: q::dead is the dead-letter queue of q; name that queue itself"
DEAD_STAYS = (
    "ERR q::dead is the dead-letter queue of q: nothing was deleted. "
    "XTRIM q::dead MAXLEN 0 purges the dead"
)
HALF_MADE = (
    "ERR invalid id: ids are unique in the whole server, so it makes no half of one; "
    "use * to have it make the id"
)
DEDUP_TWICE = "ERR invalid dedup_key: given together with IDMP or IDMPAUTO; give one of them"
SETID = "ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP."
NO_MODE = "ERR invalid mode: no such mode; there are SILENT, FAIL, FATAL"
TWICE = "ERR invalid {}: given twice; a nack has one value for it"
READ = "XREADGROUP GROUP g w"
UNBALANCED = (
    "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' "
    "must be specified."
)
DOLLAR = (
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of "
    "this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would "
    "just return an empty result set."
)
LONG = "x" * 513
BACKUP_NAME = (
    "ERR invalid name: a backup's name has 1 to 100 letters, digits, dots, dashes and "
    "underscores, and begins with a letter or digit"
)
LAST_ID = "18446744073709551615-18446744073709551615"


def _arity(name: str) -> str:
    return f"ERR wrong number of arguments for '{name}' command"


ERRORS = {
    # XADD
    "XADD q * payload x y": _arity("xadd"),
    "XADD q 1-1 a": _arity("xadd"),
    "XADD q MAXLEN 5 *": _arity("xadd"),
    "XADD q 0-0 a b": "ERR The ID specified in XADD must be greater than 0-0",
    "XADD q 0 a b": "ERR The ID specified in XADD must be greater than 0-0",
    "XADD q 0-0 a b c": _arity("xadd"),
    "XADD q 1-x a b": INVALID_ID,
    "XADD q -1 a b": INVALID_ID,
    "XADD q 18446744073709551616 a b": INVALID_ID,
    "XADD q 1-18446744073709551616 a b": INVALID_ID,
    "XADD q 1-1048576 a b": (
        "ERR invalid id: the number after the dash goes up to 1048575; "
        "use * to have the server make one"
    ),
    "XADD q 8796093022208-0 a b": (
        "ERR invalid id: more than a day ahead of the server's clock; "
        "use * to have the server make one"
    ),
    "XADD q MAXLEN -1 * a b": "ERR The MAXLEN argument must be >= 0.",
    "XADD q MAXLEN x * a b": INTEGER,
    "XADD q MINID x * a b": INVALID_ID,
    "XADD q MAXLEN 1 MINID 1 * a b": (
        "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
    ),
    "XADD q MAXLEN 1 LIMIT 5 * a b": (
        "ERR syntax error, LIMIT cannot be used without the special ~ option"
    ),
    "XADD q LIMIT 5 * a b": (
        "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
    ),
    "XADD q MAXLEN ~ 1 LIMIT -5 * a b": "ERR The LIMIT argument must be >= 0.",
    "XADD q MAXLEN ~ 1 LIMIT x * a b": INTEGER,
    "XADD q NOMKSTREAM NOMKSTREAM NOMKSTREAM MAXLEN": SYNTAX,
    "XADD q::dead * a b": (
        "ERR q::dead is the dead-letter queue of q: tasks get there when their attempts are used "
        "up, none can be pushed there"
    ),
    "XADD '' * a b": QUEUE,
    "XADD ::dead * a b": QUEUE,
    "XADD q::dead::dead * a b": QUEUE,
    # a task's options
    "XADD q * payload x ttl 0": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl 0.0000009": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl -1": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl +1": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl 1e3": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl inf": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl nan": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl 1_0": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl 1.": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl .5": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl ''": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl 3153600001": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl ١": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x visibility_timeout 0": f"ERR invalid visibility_timeout: {SECONDS}",
    "XADD q * payload x delay -0": f"ERR invalid delay: {NULLABLE}",
    "XADD q * payload x run_at 1700000000000": (
        "ERR invalid run_at: expected seconds from 0 to 8796093022, as in 90 or 0.5"
    ),
    "XADD q * payload x max_attempts 0": (
        "ERR invalid max_attempts: expected a whole number from 1 to 1000000"
    ),
    "XADD q * payload x max_attempts 1.0": (
        "ERR invalid max_attempts: expected a whole number from 1 to 1000000"
    ),
    "XADD q * payload x max_attempts 01": (
        "ERR invalid max_attempts: expected a whole number from 1 to 1000000"
    ),
    "XADD q * payload x priority 128": (
        "ERR invalid priority: expected a whole number from -128 to 127"
    ),
    "XADD q * payload x priority high": (
        "ERR invalid priority: expected a whole number from -128 to 127"
    ),
    "XADD q * payload x payload y": (
        "ERR invalid payload: given twice; a task has one payload field"
    ),
    "XADD q * payload '' payload ''": (
        "ERR invalid payload: given twice; a task has one payload field"
    ),
    "XADD q * payload x ttl 1 ttl 1": "ERR invalid ttl: given twice; a task has one value for it",
    "XADD q * payload x ttl 1 ezra.ttl 2": (
        "ERR invalid ttl: given twice; a task has one value for it"
    ),
    "XADD q * payload x delay 1 run_at 1": (
        "ERR invalid delay: given together with run_at; give one of them"
    ),
    "XADD q * payload x ezra.nosuch 1": (
        f"ERR invalid ezra.nosuch: no such option; there are {KNOWN}"
    ),
    "XADD q * data x ezra.nosuch 1": f"ERR invalid ezra.nosuch: no such option; there are {KNOWN}",
    "XADD q * data x ezra.payload 1": (
        f"ERR invalid ezra.payload: no such option; there are {KNOWN}"
    ),
    "XADD q * data x ezra.ttl abc": f"ERR invalid ttl: {SECONDS}",
    # how repeats are told from new ones
    "XADD q IDMP p * a b": INVALID_ID,
    "XADD q idmp p i 1-1 a b": "ERR IDMP/IDMPAUTO can be used only with auto-generated IDs",
    "XADD q IDMP p i IDMP p i * a b": "ERR IDMP/IDMPAUTO specified multiple times",
    "XADD q IDMPAUTO p IDMP p i * a b": "ERR IDMP/IDMPAUTO specified multiple times",
    "XADD q IDMP '' i * a b": "ERR IDMP requires a non-empty producer ID",
    "XADD q IDMP p '' * a b": "ERR IDMP requires a non-empty idempotent ID",
    "XADD q idmpauto '' * a b": "ERR IDMPAUTO requires a non-empty producer ID",
    f"XADD q IDMP {LONG} i * a b": "ERR invalid producer: expected 0 to 512 bytes",
    f"XADD q IDMPAUTO {LONG} * a b": "ERR invalid producer: expected 0 to 512 bytes",
    f"XADD q IDMP p {LONG} * a b": "ERR invalid idempotent id: expected 0 to 512 bytes",
    "XADD q IDMP p i": SYNTAX,
    "XADD q IDMP p i *": _arity("xadd"),
    "XADD q 1-* a b": HALF_MADE,
    "XADD q 0-* a b": HALF_MADE,
    "XADD q -* a b": INVALID_ID,
    "XADD q 1-1-* a b": INVALID_ID,
    "XADD q IDMP p i * payload x dedup_key k": DEDUP_TWICE,
    "XADD q IDMPAUTO p * payload x ezra.dedup_key k": DEDUP_TWICE,
    "XADD q * payload x dedup_key ''": "ERR invalid dedup_key: expected 1 to 512 bytes",
    f"XADD q * payload x dedup_key {LONG}": "ERR invalid dedup_key: expected 1 to 512 bytes",
    "XADD q * payload x dedup_ttl 5": (
        "ERR invalid dedup_ttl: it belongs to a dedup_key, and there is none"
    ),
    "XADD q * payload x dedup_key k dedup_ttl 0": f"ERR invalid dedup_ttl: {SECONDS}",
    "XADD q * payload x dedup_key k dedup_key k": (
        "ERR invalid dedup_key: given twice; a task has one value for it"
    ),
    # XREADGROUP
    f"{READ} COUNT 1 BLOCK 1": SYNTAX,
    f"{READ} COUNT 1 STREAMS": SYNTAX,
    f"{READ} NOSUCH STREAMS q >": SYNTAX,
    f"{READ} COUNT abc STREAMS q >": INTEGER,
    f"{READ} COUNT 9223372036854775808 STREAMS q >": INTEGER,
    f"{READ} BLOCK x STREAMS q >": "ERR timeout is not an integer or out of range",
    f"{READ} BLOCK 1.5 STREAMS q >": "ERR timeout is not an integer or out of range",
    f"{READ} BLOCK -5 STREAMS q >": "ERR timeout is negative",
    f"{READ} STREAMS q r >": UNBALANCED,
    "XREADGROUP COUNT 1 BLOCK 1 STREAMS q >": "ERR Missing GROUP option for XREADGROUP",
    f"{READ} STREAMS q $": DOLLAR,
    f"{READ} STREAMS q x": INVALID_ID,
    f"{READ} STREAMS ::dead >": QUEUE,
    f"{READ} CLAIM x STREAMS q >": "ERR min-idle-time is not an integer",
    f"{READ} CLAIM 5.5 STREAMS q >": "ERR min-idle-time is not an integer",
    f"{READ} CLAIM -1 STREAMS q >": "ERR min-idle-time must be a positive integer",
    f"{READ} MAXCOUNT x STREAMS q >": INTEGER,
    f"{READ} MAXSIZE 5 STREAMS q >": (
        "ERR XREADGROUP's MAXSIZE is not supported: bound a reply by COUNT; nothing was claimed"
    ),
    # XACK, XDEL, XNACK
    "XACK q g 1-1 x": INVALID_ID,
    "XACK '' g 1-1": QUEUE,
    "XDEL q x": INVALID_ID,
    "XDEL q ''": INVALID_ID,
    "XNACK q g x": INVALID_ID,
    "XNACK q g NOPE 1-1": INVALID_ID,
    "XNACK q g NOPE IDS 1 1-1": NO_MODE,
    "XNACK q g 1-1 FORCE ids 1 1-1": NO_MODE,
    "XNACK q g FAIL": SYNTAX,
    "XNACK q g FAIL 1 1-1": SYNTAX,
    "XNACK q g FAIL IDS": SYNTAX,
    "XNACK q g FAIL IDS 0 1-1": "ERR Number of IDs must be a positive integer",
    "XNACK q g FAIL IDS x 1-1": "ERR Number of IDs must be a positive integer",
    "XNACK q g FAIL IDS 2 1-1": ("ERR The `numids` parameter must match the number of arguments"),
    "XNACK q g FAIL IDS 1 1-1 1-2": SYNTAX,
    "XNACK q g FAIL IDS 1 x": INVALID_ID,
    "XNACK q g FAIL IDS 1 1-1 ids 1 1-1": TWICE.format("ids"),
    "XNACK q g FAIL IDS 1 1-1 DELAY 1 delay 2": TWICE.format("delay"),
    "XNACK q g FAIL IDS 1 1-1 REASON a REASON a": TWICE.format("reason"),
    "XNACK q g FAIL IDS 1 1-1 ATTEMPT 1 ATTEMPT 1": TWICE.format("attempt"),
    "XNACK q g FAIL IDS 1 1-1 RETRYCOUNT 1 RETRYCOUNT 1": TWICE.format("retrycount"),
    "XNACK q g FAIL IDS 1 1-1 FORCE FORCE": TWICE.format("force"),
    "XNACK q g FAIL IDS 1 1-1 DELAY": SYNTAX,
    "XNACK q g FAIL IDS 1 1-1 DELAY x": f"ERR invalid delay: {NULLABLE}",
    "XNACK q g FAIL IDS 1 1-1 ATTEMPT 0": (
        "ERR invalid attempt: expected a whole number from 1 to 1000000"
    ),
    "XNACK q g FAIL IDS 1 1-1 RETRYCOUNT -1": (
        "ERR invalid retrycount: expected a whole number from 0 to 9223372036854775807"
    ),
    # XPENDING, XAUTOCLAIM
    "XPENDING q": _arity("xpending"),
    "XPENDING q g -": SYNTAX,
    "XPENDING q g - +": SYNTAX,
    "XPENDING q g IDLE 5": SYNTAX,
    "XPENDING q g IDLE 5 - +": SYNTAX,
    "XPENDING q g - + 1 w more": SYNTAX,
    "XPENDING q g - + x": INTEGER,
    "XPENDING q g idle x - + 1": INTEGER,
    "XPENDING q g x + 1": INVALID_ID,
    "XPENDING q g (- + 1": INVALID_ID,
    "XPENDING q g - (0-0 1": END,
    f"XPENDING q g ({LAST_ID} + 1": START,
    "XCLAIM q g w 0": _arity("xclaim"),
    "XAUTOCLAIM q g w 0": _arity("xautoclaim"),
    "XAUTOCLAIM q g w x 0": "ERR Invalid min-idle-time argument for XAUTOCLAIM",
    "XAUTOCLAIM q g w 0 x": INVALID_ID,
    f"XAUTOCLAIM q g w 0 ({LAST_ID}": START,
    "XAUTOCLAIM q g w 0 0 COUNT 0": "ERR COUNT must be > 0",
    "XAUTOCLAIM q g w 0 0 COUNT -1": "ERR COUNT must be > 0",
    "XAUTOCLAIM q g w 0 0 COUNT x": "ERR COUNT must be > 0",
    "XAUTOCLAIM q g w 0 0 COUNT": SYNTAX,
    "XAUTOCLAIM q g w 0 0 NOSUCH": SYNTAX,
    # XRANGE, XREVRANGE
    "XRANGE q -": _arity("xrange"),
    "XREVRANGE q +": _arity("xrevrange"),
    "XRANGE q x +": INVALID_ID,
    "XRANGE q ( +": INVALID_ID,
    "XRANGE q - $": INVALID_ID,
    "XRANGE q 1-1-1 +": INVALID_ID,
    "XRANGE q - (0-0": END,
    f"XRANGE q ({LAST_ID} +": START,
    "XREVRANGE q (0-0 -": END,
    f"XREVRANGE q + ({LAST_ID}": START,
    "XRANGE q - + COUNT": SYNTAX,
    "XRANGE q - + COUNT 1 COUNT": SYNTAX,
    "XRANGE q - + COUNT x": INTEGER,
    "XRANGE q - + NOSUCH 1": SYNTAX,
    # XACKDEL, XDELEX, XTRIM
    "XDELEX q IDS 1": _arity("xdelex"),
    "XACKDEL q g IDS 1": _arity("xackdel"),
    "XDELEX q IDS 0 1-1": "ERR Number of IDs must be a positive integer",
    "XDELEX q IDS x 1-1": "ERR Number of IDs must be a positive integer",
    "XDELEX q IDS 2 1-1": "ERR The `numids` parameter must match the number of arguments",
    "XDELEX q IDS 1 1-1 1-2": SYNTAX,
    "XDELEX q IDS 1 1-1 IDS 1 1-1": SYNTAX,
    "XDELEX q KEEPREF DELREF ACKED": SYNTAX,
    "XDELEX q NOSUCH IDS 1 1-1": SYNTAX,
    "XDELEX q IDS 1 x": INVALID_ID,
    "XACKDEL q g IDS 2 1-1": "ERR The `numids` parameter must match the number of arguments",
    "XACKDEL q g DELREF IDS 1 x": INVALID_ID,
    "XTRIM q MAXLEN": _arity("xtrim"),
    "XTRIM q MAXLEN x": INTEGER,
    "XTRIM q MAXLEN -1": "ERR The MAXLEN argument must be >= 0.",
    "XTRIM q MAXLEN ~ 5 LIMIT -1": "ERR The LIMIT argument must be >= 0.",
    "XTRIM q MAXLEN ~ 5 LIMIT x": INTEGER,
    "XTRIM q MAXLEN = 5 LIMIT 1": (
        "ERR syntax error, LIMIT cannot be used without the special ~ option"
    ),
    "XTRIM q LIMIT 10": (
        "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
    ),
    "XTRIM q MAXLEN 5 MAXLEN 5": (
        "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
    ),
    "XTRIM q MINID x": INVALID_ID,
    "XTRIM q MINID -": INVALID_ID,
    "XTRIM q MINID (5": INVALID_ID,
    "XTRIM q NOSUCH 5": SYNTAX,
    "XTRIM q KEEPREF ACKED": SYNTAX,
    "XTRIM q MAXLEN 5 more": SYNTAX,
    # XGROUP, XINFO, XLEN, EZRA.QUEUE
    "XGROUP CREATE q g x": INVALID_ID,
    "XGROUP CREATE q g $ NOSUCH": (
        "ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP."
    ),
    "XGROUP CREATE q g $ ENTRIESREAD": (
        "ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP."
    ),
    "XGROUP CREATE q g $ ENTRIESREAD x": INTEGER,
    "XGROUP CREATE q g $ ENTRIESREAD -2": "ERR value for ENTRIESREAD must be positive or -1",
    "XGROUP SETID q g x": INVALID_ID,
    "XGROUP SETID q g 0 MKSTREAM": SETID,
    "XGROUP SETID q g 0 ENTRIESREAD": SETID,
    "XGROUP SETID q g 0 ENTRIESREAD x": INTEGER,
    "XGROUP SETID q g 0 ENTRIESREAD -2": "ERR value for ENTRIESREAD must be positive or -1",
    "XGROUP SETID q g": _arity("xgroup|setid"),
    "XGROUP DESTROY q": _arity("xgroup|destroy"),
    "XGROUP CREATECONSUMER q g": _arity("xgroup|createconsumer"),
    "XGROUP DELCONSUMER q g": _arity("xgroup|delconsumer"),
    "XGROUP HELP x": _arity("xgroup|help"),
    "XGROUP NOSUCH q g": "ERR unknown subcommand 'NOSUCH'. Try XGROUP HELP.",
    "XINFO": _arity("xinfo"),
    "XINFO STREAM": _arity("xinfo|stream"),
    "XINFO GROUPS": _arity("xinfo|groups"),
    "XINFO CONSUMERS q": _arity("xinfo|consumers"),
    "XINFO CONSUMERS q g more": _arity("xinfo|consumers"),
    "XINFO NOSUCH q": "ERR unknown subcommand 'NOSUCH'. Try XINFO HELP.",
    "XLEN ''": QUEUE,
    "EZRA.QUEUE GET q::dead": NO_DEAD,
    "EZRA.QUEUE SET q::dead max_attempts 1": NO_DEAD,
    "EZRA.QUEUE SET q max_attempts 1 retry_delay": _arity("ezra.queue|set"),
    "EZRA.QUEUE SET q nosuch 1": (
        "ERR invalid nosuch: no such setting; there are "
        "visibility_timeout, max_attempts, retry_delay, dedup_window, dedup_limit"
    ),
    "EZRA.QUEUE SET q max_attempts 1 MAX_ATTEMPTS 2": (
        "ERR invalid max_attempts: given twice; a setting has one value"
    ),
    "EZRA.QUEUE SET q visibility_timeout 0": f"ERR invalid visibility_timeout: {SECONDS}",
    "EZRA.QUEUE SET q retry_delay x": f"ERR invalid retry_delay: {NULLABLE}",
    "EZRA.QUEUE SET q dedup_window 0": f"ERR invalid dedup_window: {SECONDS}",
    "EZRA.QUEUE SET q dedup_limit 10001": (
        "ERR invalid dedup_limit: expected a whole number from 1 to 10000"
    ),
    # XCFGSET
    "XCFGSET": _arity("xcfgset"),
    "XCFGSET q": "ERR At least one parameter (IDMP-DURATION or IDMP-MAXSIZE) is required",
    "XCFGSET q IDMP-DURATION": SYNTAX,
    "XCFGSET q NOSUCH": SYNTAX,
    "XCFGSET q IDMP-DURATION x": INTEGER,
    "XCFGSET q IDMP-DURATION 1.5": INTEGER,
    "XCFGSET q IDMP-DURATION 00": INTEGER,
    "XCFGSET q IDMP-DURATION 0": "ERR IDMP-DURATION must be between 1 and 86400 seconds",
    "XCFGSET q IDMP-DURATION 86401": "ERR IDMP-DURATION must be between 1 and 86400 seconds",
    "XCFGSET q IDMP-MAXSIZE 0": "ERR IDMP-MAXSIZE must be between 1 and 10000 entries",
    "XCFGSET q IDMP-MAXSIZE 10001": "ERR IDMP-MAXSIZE must be between 1 and 10000 entries",
    # keys
    "DEL": _arity("del"),
    "DEL r q::dead": DEAD_STAYS,
    "UNLINK q::dead r": DEAD_STAYS,
    "DEL q ''": QUEUE,
    "EXISTS": _arity("exists"),
    "TYPE a b": _arity("type"),
    "TTL": _arity("ttl"),
    "SCAN x": "ERR invalid cursor",
    "SCAN -1": "ERR invalid cursor",
    "SCAN 18446744073709551616": "ERR invalid cursor",
    f"SCAN {'9' * 5000}": "ERR invalid cursor",
    "SCAN 0 MATCH": SYNTAX,
    "SCAN 0 COUNT 0": SYNTAX,
    "SCAN 0 COUNT -5": SYNTAX,
    "SCAN 0 COUNT x": INTEGER,
    "SCAN 0 NOSUCH 1": SYNTAX,
    f"SCAN 0 MATCH {'x' * 4097}": "ERR invalid pattern: expected 0 to 4096 bytes",
    f"KEYS {'x' * 4097}": "ERR invalid pattern: expected 0 to 4096 bytes",
    "KEYS": _arity("keys"),
    "DBSIZE x": _arity("dbsize"),
    "OBJECT": _arity("object"),
    "OBJECT ENCODING": _arity("object|encoding"),
    "OBJECT NOSUCH q": "ERR unknown subcommand 'NOSUCH'. Try OBJECT HELP.",
    "MEMORY USAGE q SAMPLES": SYNTAX,
    "MEMORY USAGE q SAMPLES x": INTEGER,
    "MEMORY USAGE q SAMPLES -1": SYNTAX,
    "MEMORY USAGE q NOSUCH 5": SYNTAX,
    "ZCOUNT nokey x 1": "ERR min or max is not a float",
    "ZCOUNT nokey 0 (": "ERR min or max is not a float",
    "ZCOUNT nokey 0": _arity("zcount"),
    # EZRA.BACKUP
    "EZRA.BACKUP": _arity("ezra.backup"),
    "EZRA.BACKUP a b": _arity("ezra.backup"),
    "EZRA.BACKUP ../a": BACKUP_NAME,
    "EZRA.BACKUP /tmp/a": BACKUP_NAME,
    "EZRA.BACKUP a/b": BACKUP_NAME,
    "EZRA.BACKUP ..": BACKUP_NAME,
    "EZRA.BACKUP .a": BACKUP_NAME,
    "EZRA.BACKUP a.db-wal": BACKUP_NAME,
    "EZRA.BACKUP a.DB-SHM": BACKUP_NAME,
    "EZRA.BACKUP a.unfinished": BACKUP_NAME,
}
"""What is read, by what was sent."""
