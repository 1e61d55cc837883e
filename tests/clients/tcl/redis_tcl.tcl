# The Tcl client that comes with Redis' sources (tests/support/redis.tcl). It speaks either protocol.
# Arguments: host port queue-prefix protocol

package require Tcl 8.5

# How a program tells the runner what it has found: a line for each scenario.

fconfigure stdout -buffering line

proc scenario {name} {
    if {[catch {$name $::ezra $::prefix:$name} reason]} {
        puts "FAIL $name: [lindex [split $reason \n] 0]"
    } else {
        puts "ok $name"
    }
}

proc expect {what got wanted} {
    if {$got ne $wanted} {error "$what: $got, not $wanted"}
}

# [connect]
source source/tests/support/redis.tcl

proc connect {host port protocol} {
    set ezra [redis $host $port]
    if {$protocol == 3} {$ezra hello 3}
    return $ezra
}
# [/connect]

# [worker]
# The tasks in the reply to an XREADGROUP of one queue: a list of ids and fields.
proc tasks_in {reply protocol} {
    if {$reply eq ""} {return {}}
    if {$protocol == 2} {set reply [lindex $reply 0]}
    return [lindex $reply 1]
}

# Work on one queue until the script `stop` says so. The command `handle` gets a task's fields as a
# dictionary; if it fails, the task is tried again, and is dead after its last attempt.
proc work {ezra protocol queue handle stop} {
    while {![uplevel #0 $stop]} {
        set reply [$ezra xreadgroup GROUP workers worker-1 COUNT 1 BLOCK 1000 STREAMS $queue >]
        foreach task [tasks_in $reply $protocol] {
            lassign $task id fields
            if {[catch {$handle $fields}]} {
                $ezra xdel $queue $id ;# In EZRA a nack: it deletes nothing.
            } else {
                $ezra xack $queue workers $id
            }
        }
    }
}
# [/worker]

# Claim what there is, without waiting.
proc claim {ezra queue {worker worker-1} {count 1}} {
    set reply [$ezra xreadgroup GROUP workers $worker COUNT $count STREAMS $queue >]
    return [tasks_in $reply $::protocol]
}

# Claim the one task that there is: its id and its fields.
proc claim_one {ezra queue} {
    set tasks [claim $ezra $queue worker-1 2]
    expect "tasks claimed" [llength $tasks] 1
    return [lindex $tasks 0]
}

proc ids_of {tasks} {
    lmap task $tasks {lindex $task 0}
}

proc ack {ezra queue id} {
    expect XACK [$ezra xack $queue workers $id] 1
}

proc values {fields args} {
    lmap name $args {dict get $fields $name}
}

proc produce-and-work {ezra queue} {
    set payload "caf\xe9\x00\r\n"
    set id [$ezra xadd $queue * payload $payload to alice]
    foreach again {1 2} {
        expect "XGROUP CREATE" [$ezra xgroup CREATE $queue workers 0 MKSTREAM] OK
    }
    lassign [claim_one $ezra $queue] claimed task
    expect id $claimed $id
    expect payload [dict get $task payload] $payload
    expect fields [values $task to attempts] {alice 1}
    ack $ezra $queue $id
    expect XLEN [$ezra xlen $queue] 0

    $ezra xadd $queue * payload again
    set ::attempts {}
    work $ezra $::protocol $queue fail_at_first {expr {[llength $attempts] == 2}}
    expect "attempts of the loop" $::attempts {1 2}
    expect "claimed after the loop" [claim $ezra $queue] {}
}

proc fail_at_first {task} {
    lappend ::attempts [dict get $task attempts]
    if {[llength $::attempts] == 1} {error "not yet"}
}

proc order-and-batch {ezra queue} {
    set ids [lmap n {1 2 3 4 5} {$ezra xadd $queue * payload $n}]
    set tasks [claim $ezra $queue worker-1 5]
    expect ids [ids_of $tasks] $ids
    expect payloads [lmap task $tasks {dict get [lindex $task 1] payload}] {1 2 3 4 5}
    expect XACK [$ezra xack $queue workers {*}$ids] 5
    expect "an empty queue" [$ezra xreadgroup GROUP workers worker-1 STREAMS $queue >] {}
}

proc retry {ezra queue} {
    set id [$ezra xadd $queue * payload x]
    claim_one $ezra $queue
    expect XDEL [$ezra xdel $queue $id] 1
    lassign [claim_one $ezra $queue] again task
    expect id $again $id
    expect attempts [dict get $task attempts] 2
    ack $ezra $queue $id
}

proc dead-letter {ezra queue} {
    set dead $queue\::dead
    set id [$ezra xadd $queue * payload x max_attempts 1]
    claim_one $ezra $queue
    $ezra xdel $queue $id
    expect XLEN [$ezra xlen $dead] 1
    expect XRANGE [ids_of [$ezra xrange $dead - +]] $id
    expect claimed [lindex [claim_one $ezra $dead] 0] $id
    ack $ezra $dead $id
    expect XLEN [$ezra xlen $dead] 0
}

proc blocking {ezra queue} {
    set words [list xreadgroup GROUP workers worker-1 COUNT 1 BLOCK 300 STREAMS $queue >]
    expect "an empty queue" [$ezra {*}$words] {}
    # A deferred client only sends; its replies are read later.
    set worker [connect $::host $::port $::protocol]
    $worker deferred 1
    $worker {*}[lreplace $words 7 7 10000]
    after 200 ;# Most likely it is blocked by then; its task arrives in any case.
    set id [$ezra xadd $queue * payload x]
    expect arrived [ids_of [tasks_in [$worker read] $::protocol]] $id
    $worker close
    ack $ezra $queue $id
}

proc heartbeat {ezra queue} {
    set id [$ezra xadd $queue * payload x visibility_timeout 1]
    claim_one $ezra $queue
    for {set beat 0} {$beat < 12} {incr beat} {
        after 100
        expect XCLAIM [$ezra xclaim $queue workers worker-1 0 $id JUSTID] $id
        expect "another worker" [claim $ezra $queue worker-2] {}
    }
    ack $ezra $queue $id
    expect XCLAIM [$ezra xclaim $queue workers worker-1 0 $id JUSTID] {}
}

proc pending {ezra queue} {
    set id [$ezra xadd $queue * payload x]
    claim_one $ezra $queue
    expect XPENDING [$ezra xpending $queue workers] [list 1 $id $id {{worker-1 1}}]
    lassign [lindex [$ezra xpending $queue workers - + 10] 0] seen worker idle attempts
    expect "XPENDING - +" [list $seen $worker $attempts] [list $id worker-1 1]
    after 20
    set taken [lindex [$ezra xautoclaim $queue workers worker-2 1 0-0] 1]
    expect XAUTOCLAIM [ids_of $taken] $id
    expect attempts [dict get [lindex $taken 0 1] attempts] 2
    ack $ezra $queue $id
}

proc transaction {ezra queue} {
    lassign [list $queue:a $queue:b] first second
    set id [$ezra xadd $first * payload 1]
    claim_one $ezra $first
    $ezra multi
    $ezra xadd $first * payload 2
    $ezra xadd $second * payload 3
    $ezra xack $first workers $id
    set results [$ezra exec]
    expect results [list [llength $results] [lindex $results 2]] {3 1}
    expect XLEN [list [$ezra xlen $first] [$ezra xlen $second]] {1 1}

    $ezra multi
    $ezra xadd $first * payload 4
    $ezra xadd $first 1-1 x y
    expect "a transaction with an id that is too small fails" [catch {$ezra exec}] 1
    expect XLEN [$ezra xlen $first] 1
}

proc inspect {ezra queue} {
    set ids [lmap n {1 2} {$ezra xadd $queue * payload $n}]
    $ezra xgroup CREATE $queue workers 0 MKSTREAM
    expect XRANGE [ids_of [$ezra xrange $queue - +]] $ids
    expect XREVRANGE [ids_of [$ezra xrevrange $queue + -]] [lreverse $ids]
    claim $ezra $queue
    expect "XINFO STREAM" [values [$ezra xinfo STREAM $queue] length groups] {1 1}
    set group [lindex [$ezra xinfo GROUPS $queue] 0]
    expect "XINFO GROUPS" [values $group name pending] {workers 1}
    set worker [lindex [$ezra xinfo CONSUMERS $queue workers] 0]
    expect "XINFO CONSUMERS" [values $worker name pending] {worker-1 1}
    ack $ezra $queue [lindex $ids 0]
}

proc reconnect {ezra queue} {
    puts "cut [$ezra client ID]"
    gets stdin
    if {[catch {$ezra xadd $queue * payload x} id]} {
        # It says so, connects again at the next command, and speaks RESP2 then.
        if {$::protocol == 3} {$ezra hello 3}
        set id [$ezra xadd $queue * payload x]
    }
    expect claimed [ids_of [claim $ezra $queue worker-1 5]] $id
    ack $ezra $queue $id
}

# It has no version but that of the Redis it comes with.
proc version {} {
    set file [open source/src/version.h]
    regexp {[0-9.]+} [read $file] version
    close $file
    return $version
}

lassign $argv host port prefix protocol
puts "version [version]"
set ezra [connect $host $port $protocol]
foreach name {
    produce-and-work order-and-batch retry dead-letter blocking
    heartbeat pending transaction inspect reconnect
} {scenario $name}
