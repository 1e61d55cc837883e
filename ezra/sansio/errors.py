"""What can go wrong, and every text that says so on the wire.

    EzraError
    ├── ProtocolError                 the bytes or the calls were out of order (abstract)
    │   ├── LocalProtocolError        whoever drives the core called it wrongly
    │   └── RemoteProtocolError       the peer sent what is not RESP: answered, then closed
    ├── CommandError                  a wrong command: an error *reply*, the connection goes on
    ├── IllegalTransition             a task was asked to do what its lifecycle does not know
    └── EngineError                   the engine could not do its part (abstract)
        ├── EngineClosed              it is shutting down: nothing was done
        ├── StorageFull               the disk is full: nothing was done
        ├── StorageBusy               the database cannot be had just now: nothing was done
        └── OutcomeUnknown            the storage failed: the change may be there or not

`StartError`, beside these, is for the person who starts the engine and never goes on the wire.
"""

from __future__ import annotations

from typing import Self


class EzraError(Exception):
    """Whatever EZRA raises on purpose."""

    def as_answer(self) -> Self:
        """Return it as an answer, without the way by which it came; whoever keeps it calls this.

        A traceback holds the variables of all whom the error passed, and those hold the answer: a
        circle, with the command's payload in it, that stays until the garbage collector comes by.
        """
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)


class ProtocolError(EzraError):
    """The conversation broke down. Only its two kinds are raised."""


class LocalProtocolError(ProtocolError):
    """This side's driver made a call that the connection's state does not allow."""


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes that are not RESP. Its text is the error reply to send, then close."""


class CommandError(EzraError):
    """A command that cannot be carried out. Its text is the error reply, prefix included."""


class IllegalTransition(EzraError):
    """A (status, event) pair that the lifecycle's table does not hold."""


class EngineError(EzraError):
    """The engine could not do its part. Its text is the error reply, prefix included."""


class EngineClosed(EngineError):
    """The engine is shutting down; the operation was not carried out."""


class StorageFull(EngineError):
    """The disk is full; the operation was not carried out."""


class StorageBusy(EngineError):
    """The database cannot be had just now, as another program holds it; nothing was done."""


class OutcomeUnknown(EngineError):
    """The storage failed while the operation was on its way to disk: it may be there or not."""


class StartError(EzraError):
    """An engine cannot start on its data directory. Its text says why and what to do."""


class Text:
    """Every error text that goes on the wire. Where Redis has one, it is Redis' own, to the byte.

    A text with names in braces is completed by `str.format`.
    """

    # Bytes that are not RESP: those that Redis knows
    INVALID_MULTIBULK_LENGTH = "ERR Protocol error: invalid multibulk length"
    INVALID_BULK_LENGTH = "ERR Protocol error: invalid bulk length"
    STRANGERS_MULTIBULK = "ERR Protocol error: unauthenticated multibulk length"
    STRANGERS_BULK = "ERR Protocol error: unauthenticated bulk length"
    BULK_EXPECTED = "ERR Protocol error: expected '$', got '{byte}'"
    UNBALANCED_QUOTES = "ERR Protocol error: unbalanced quotes in request"
    BIG_INLINE_REQUEST = "ERR Protocol error: too big inline request"
    BIG_MULTIBULK_COUNT = "ERR Protocol error: too big mbulk count string"
    BIG_BULK_COUNT = "ERR Protocol error: too big bulk count string"
    # Bytes that are not RESP: those that EZRA alone refuses, or that only a client reads
    CRLF_EXPECTED = "ERR Protocol error: expected CRLF after a bulk string"
    LINE_TOO_LONG = "ERR Protocol error: too long a line"
    INVALID_VALUE = "ERR Protocol error: invalid value after '{byte}'"
    UNKNOWN_TYPE = "ERR Protocol error: unknown type '{byte}'"
    OUT_OF_PLACE = "ERR Protocol error: '{byte}' out of place"
    TOO_DEEP = "ERR Protocol error: too deeply nested"
    TOO_LARGE = "ERR Protocol error: too large a value"

    # Any command
    UNKNOWN_COMMAND = "ERR unknown command '{name}', with args beginning with: {arguments}"
    UNKNOWN_SUBCOMMAND = "ERR unknown subcommand '{name}'. Try {command} HELP."
    WRONG_SUBCOMMAND = (
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try {command} HELP."
    )
    WRONG_ARITY = "ERR wrong number of arguments for '{name}' command"
    SYNTAX = "ERR syntax error"
    NOT_AN_INTEGER = "ERR value is not an integer or out of range"
    INVALID_ID = "ERR Invalid stream ID specified as stream command argument"
    INVALID_START = "ERR invalid start ID for the interval"
    INVALID_END = "ERR invalid end ID for the interval"
    NO_SUCH_KEY = "ERR no such key"
    WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
    OVERSIZED = (
        "ERR the command is too large: {size} bytes where {limit} are allowed, "
        "see --max-payload-bytes; nothing was done"
    )

    # What EZRA alone asks for: they name what is wrong and say what would be right
    INVALID_WHOLE = "ERR invalid {name}: expected a whole number from {least} to {most}"
    INVALID_SECONDS = "ERR invalid {name}: expected seconds from {least} to {most}, as in 90 or 0.5"
    INVALID_BYTES = "ERR invalid {name}: expected {least} to {most} bytes"
    INVALID_TEXT = "ERR invalid {name}: expected at most {most} bytes of UTF-8"
    INVALID_QUEUE = (
        "ERR invalid queue: expected 1 to {most} bytes of UTF-8, "
        "with at most one ::dead, at the end"
    )
    DEAD_IS_NO_QUEUE = (
        "ERR invalid queue: {name} is the dead-letter queue of {queue}; name that queue itself"
    )

    # Connection
    NOT_A_PROTOCOL = "ERR Protocol version is not an integer or out of range"
    NO_PROTOCOL = "NOPROTO unsupported protocol version"
    HELLO_OPTION = "ERR Syntax error in HELLO option '{name}'"
    WRONG_CREDENTIALS = "WRONGPASS invalid username-password pair or user is disabled."
    NO_AUTH = "NOAUTH Authentication required."
    HELLO_NO_AUTH = (
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the "
        "HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and "
        "select the RESP protocol version at the same time"
    )
    NO_PERMISSION = "NOPERM User {user} has no permissions to run the '{name}' command"
    DATABASE = "ERR DB index is out of range"
    CLIENT_NAME = "ERR Client names cannot contain spaces, newlines or special characters."
    CLIENT_INFO = "ERR {name} cannot contain spaces, newlines or special characters."
    CLIENT_INFO_OPTION = "ERR Unrecognized option '{name}'"
    AUTH_WITHOUT_NEED = (
        "ERR AUTH <password> called without any password configured for the default user. "
        "Are you sure your configuration is correct?"
    )

    # CLIENT, about others and about replies
    NO_SUCH_CLIENT = "ERR No such client"
    NO_SUCH_USER = "ERR No such user '{name}'"
    NOT_A_CLIENT_ID = "ERR client-id should be greater than 0"
    INVALID_CLIENT_ID = "ERR Invalid client ID"
    CLIENT_TYPE = "ERR Unknown client type '{name}'"
    NOT_AN_AGE = "ERR maxage is not an integer or out of range"
    AGE_TOO_LOW = "ERR maxage should be greater than 0"
    UNBLOCK_REASON = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"
    UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK"
    NO_PAUSE = "ERR CLIENT PAUSE is not supported by EZRA: clients are never paused"
    TRACKING_TWO_MODES = "ERR You can't specify both OPTIN mode and OPTOUT mode"
    TRACKING_BROADCAST = "ERR OPTIN and OPTOUT are not compatible with BCAST"
    TRACKING_PREFIX = "ERR PREFIX option requires BCAST mode to be enabled"
    TRACKING_REDIRECT = "ERR The client ID you want redirect to does not exist"
    TRACKING_SWITCH = (
        "ERR You can't switch {modes} mode{change} before disabling tracking for this client, "
        "and then re-enabling it with a different mode."
    )
    NOT_CACHING = (
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
        "OPTOUT mode enabled"
    )
    CACHING_MODE = (
        "ERR CLIENT CACHING {answer} is only valid when tracking is enabled in {mode} mode."
    )

    # Server
    NO_CLUSTER = "ERR This instance has cluster support disabled"
    CONFIG_IS_FIXED = (
        "ERR CONFIG SET is not supported by EZRA: its settings are flags of the server, "
        "see python -m ezra --help; a queue's own are set by EZRA.QUEUE SET"
    )
    NO_CONFIG_FILE = "ERR The server is running without a config file"
    ZERO_OR_ONE = "ERR value is out of range, must be between 0 and 1"
    NOT_POSITIVE = "ERR value is out of range, must be positive"
    SLOWLOG_COUNT = "ERR count should be greater than or equal to -1"
    NO_SAMPLES = "ERR No samples available for event '{name}'"
    NO_CATEGORY = "ERR Unknown category '{name}'"
    NO_SCRIPTS = (
        "ERR EZRA runs no scripts; its own commands are atomic, and MULTI makes one of several"
    )
    INVALID_COMMAND = "ERR Invalid command specified"
    INVALID_ARGUMENTS = "ERR Invalid number of arguments specified for command"
    NO_KEYS = "ERR The command has no key arguments"

    # Transactions
    NESTED_MULTI = "ERR MULTI calls can not be nested"
    EXEC_WITHOUT_MULTI = "ERR EXEC without MULTI"
    DISCARD_WITHOUT_MULTI = "ERR DISCARD without MULTI"
    EXEC_ABORT = "EXECABORT Transaction discarded because of previous errors."
    EXEC_ARITY = (
        "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"
    )
    EXEC_NO_AUTH = "EXECABORT Transaction discarded because of: NOAUTH Authentication required."
    WATCH_INSIDE_MULTI = "ERR WATCH inside MULTI is not allowed"
    NO_WATCH = (
        "ERR WATCH is not supported by EZRA: a transaction is carried out as a whole, "
        "whatever others do meanwhile"
    )
    NOT_IN_TRANSACTION = "ERR Command not allowed inside a transaction"
    TOO_LONG_TRANSACTION = (
        "ERR the transaction is too long: one has at most {commands} commands and {size} bytes"
    )

    TOO_MANY_OTHERS = (
        "ERR the transaction has too many commands that are about no queue: at most {most}"
    )
    NAMED_TWICE = "ERR {name} is named twice; name each command once"

    # XADD
    ID_TOO_SMALL = (
        "ERR The ID specified in XADD is equal or smaller than the target stream top item"
    )
    ID_ZERO = "ERR The ID specified in XADD must be greater than 0-0"
    ID_TOO_FAR = (
        "ERR invalid id: more than a day ahead of the server's clock; "
        "use * to have the server make one"
    )
    ID_SEQUENCE = (
        "ERR invalid id: the number after the dash goes up to {most}; "
        "use * to have the server make one"
    )
    NEGATIVE_MAXLEN = "ERR The MAXLEN argument must be >= 0."
    NEGATIVE_LIMIT = "ERR The LIMIT argument must be >= 0."
    TWO_TRIMS = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
    LIMIT_NEEDS_APPROXIMATE = "ERR syntax error, LIMIT cannot be used without the special ~ option"
    LIMIT_NEEDS_TRIM = (
        "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
    )
    ID_HALF_MADE = (
        "ERR invalid id: ids are unique in the whole server, so it makes no half of one; "
        "use * to have it make the id"
    )
    IDEMPOTENCE_TWICE = "ERR IDMP/IDMPAUTO specified multiple times"
    IDEMPOTENCE_CHOSEN_ID = "ERR IDMP/IDMPAUTO can be used only with auto-generated IDs"
    NO_PRODUCER = "ERR {option} requires a non-empty producer ID"
    NO_IDEMPOTENT_ID = "ERR IDMP requires a non-empty idempotent ID"
    DEDUP_TWICE = "ERR invalid dedup_key: given together with IDMP or IDMPAUTO; give one of them"
    DEDUP_TTL_ALONE = "ERR invalid dedup_ttl: it belongs to a dedup_key, and there is none"
    PUSH_TO_DEAD = (
        "ERR {name} is the dead-letter queue of {queue}: tasks get there when their attempts "
        "are used up, none can be pushed there"
    )
    TWO_PAYLOADS = "ERR invalid payload: given twice; a task has one payload field"
    OPTION_TWICE = "ERR invalid {name}: given twice; a task has one value for it"
    UNKNOWN_OPTION = "ERR invalid {name}: no such option; there are {known}"
    DELAY_AND_RUN_AT = "ERR invalid delay: given together with run_at; give one of them"

    # XREADGROUP
    UNBALANCED = (
        "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' "
        "must be specified."
    )
    TOO_MANY_SOURCES = "ERR invalid queues: one XREADGROUP reads at most {most}"
    MISSING_GROUP = "ERR Missing GROUP option for XREADGROUP"
    DOLLAR_ID = (
        "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history "
        "of this consumer by specifying a proper ID, or use the > ID to get new messages. "
        "The $ ID would just return an empty result set."
    )
    NOT_A_TIMEOUT = "ERR timeout is not an integer or out of range"
    NEGATIVE_TIMEOUT = "ERR timeout is negative"
    NOT_AN_IDLE_TIME = "ERR min-idle-time is not an integer"
    NEGATIVE_IDLE_TIME = "ERR min-idle-time must be a positive integer"
    NO_MAXSIZE = (
        "ERR XREADGROUP's MAXSIZE is not supported: bound a reply by COUNT; nothing was claimed"
    )

    # XCLAIM, XAUTOCLAIM
    INVALID_MIN_IDLE = "ERR Invalid min-idle-time argument for {command}"
    CLAIM_OPTION = "ERR Unrecognized XCLAIM option '{name}'"
    CLAIM_ARGUMENT = "ERR Invalid {name} option argument for XCLAIM"
    COUNT_TOO_LOW = "ERR COUNT must be > 0"

    # XNACK
    NUMBER_OF_IDS = "ERR Number of IDs must be a positive integer"
    IDS_DO_NOT_MATCH = "ERR The `numids` parameter must match the number of arguments"
    UNKNOWN_MODE = "ERR invalid mode: no such mode; there are {known}"
    NACK_OPTION_TWICE = "ERR invalid {name}: given twice; a nack has one value for it"
    NOT_IN_FLIGHT = "ERR no such task is in flight in this queue"

    # XGROUP, XINFO, EZRA.QUEUE
    XGROUP_NEEDS_QUEUE = (
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want "
        "to use the MKSTREAM option to create an empty stream automatically."
    )
    NO_GROUP = "NOGROUP No such key '{queue}' or consumer group '{group}'"
    NO_SUCH_GROUP = "NOGROUP No such consumer group '{group}' for key name '{queue}'"
    ENTRIES_READ = "ERR value for ENTRIESREAD must be positive or -1"
    NO_PARAMETER = "ERR At least one parameter (IDMP-DURATION or IDMP-MAXSIZE) is required"
    PARAMETER_RANGE = "ERR {name} must be between {least} and {most} {unit}"
    UNKNOWN_SETTING = "ERR invalid {name}: no such setting; there are {known}"
    SETTING_TWICE = "ERR invalid {name}: given twice; a setting has one value"

    # Keys, transactions
    INVALID_CURSOR = "ERR invalid cursor"
    NOT_A_FLOAT = "ERR min or max is not a float"
    DELETE_DEAD = (
        "ERR {name} is the dead-letter queue of {queue}: nothing was deleted. "
        "XTRIM {name} MAXLEN 0 purges the dead"
    )
    UNFINISHED = (
        "ERR {queue} still has unfinished tasks: {waiting} waiting, {in_flight} in flight, "
        "{dead} dead; no queue was deleted. Have them worked on, or delete them by their ids "
        "(XDELEX); XTRIM {queue}::dead MAXLEN 0 purges the dead"
    )
    DONE_IN_PART = "ERR done in part, for {done} tasks, and then: {error}"
    ROLLED_BACK = "EXECABORT Transaction rolled back, nothing of it was done: {error}"

    # Backups
    BACKUP_NAME = (
        "ERR invalid name: a backup's name has 1 to {most} letters, digits, dots, dashes and "
        "underscores, and begins with a letter or digit"
    )
    BACKUP_EXISTS = "ERR {name} is there already; choose another name, or remove it"
    BACKUP_RUNNING = "ERR another backup is being made; try again when it is done"
    BACKUP_NO_ROOM = (
        "ERR no room for a backup: {needed} bytes are needed, with those that stay free for "
        "pushes, and {free} are free; nothing was written"
    )
    BACKUP_FULL = "ERR the disk is full: no backup was made, and nothing is left of it"
    BACKUP_FAILED = "ERR no backup was made, and nothing is left of it: {reason}"
    BACKUP_OF_MEMORY = "ERR there is nothing to back up: this server keeps its tasks in memory"

    # The engine
    MAX_CLIENTS = "ERR max number of clients reached"
    PROTECTED_MODE = (
        "DENIED EZRA is in protected mode: it has no password and serves its own machine only. "
        "Set one (--password-file), or ask for clients' certificates (--tls-client-ca); "
        "--protected-mode no serves everybody who reaches this port"
    )
    NO_MEMORY_FOR_REQUEST = (
        "OOM too much is on its way to this server just now: nothing of this was done; "
        "send less at a time, or see --max-buffer-bytes"
    )
    NO_MEMORY_FOR_REPLY = (
        "OOM the reply would take more memory than there is for it just now; "
        "ask for less at once (COUNT), or see --max-buffer-bytes"
    )
    SHUTTING_DOWN = "ERR the server is shutting down; nothing was done"
    WITHDRAWN = "ERR interrupted before it was carried out; nothing was done"
    STORAGE_FULL = "ERR the disk is full: nothing was done; free some space and try again"
    LOW_ON_SPACE = (
        "ERR the disk is nearly full: {free} bytes are free where {least} have to be "
        "(--min-free-bytes and the write-ahead log). Nothing was pushed, and nothing will be until "
        "there is space again; claims and acks go on"
    )
    STORAGE_BUSY = (
        "ERR another program keeps the database locked: nothing was done; "
        "end its transaction and try again"
    )
    NOT_STORABLE = "ERR this cannot be stored: {reason}; nothing was done"
    UNREADABLE = "ERR the storage cannot be read just now: {reason}; try again"
    STORAGE_FAILED = (
        "UNKNOWN the storage failed while it was read; the server stops, ask again when it is back"
    )
    CLOSING_FAILED = (
        "UNKNOWN the storage failed at the very end: all that was answered is in the write-ahead "
        "log, where the next start finds it"
    )
    OUTCOME_UNKNOWN = (
        "UNKNOWN the storage failed while this was written: it may be stored or not; "
        "the server stops, ask again when it is back"
    )
