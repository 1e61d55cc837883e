package Report;

# How a program tells the runner what it has found: a line for each scenario.

use strict;
use warnings;

use Exporter 'import';
use POSIX ();

our @EXPORT_OK = qw(scenario expect have_cut meanwhile);

STDOUT->autoflush;

# Run one scenario and say how it went. The others run even if it fails.
sub scenario {
    my ($name, $steps) = @_;
    if (eval { $steps->(); 1 }) {
        print "ok $name\n";
    }
    else {
        my ($reason) = split /\n/, $@;
        print "FAIL $name: $reason\n";
    }
    return;
}

# Die unless the two have the same text; lists are compared with their elements joined by spaces.
sub expect {
    my ($what, $got, $wanted) = @_;
    ($got, $wanted) = map { ref $_ ? "@$_" : $_ // 'undef' } $got, $wanted;
    die "$what: $got, not $wanted\n" if $got ne $wanted;
    return;
}

# Have the runner cut the connection with this id; return once it has.
sub have_cut {
    my ($client_id) = @_;
    print "cut $client_id\n";
    return scalar <STDIN>;
}

# Run this in a process of its own, which must not touch our connections.
sub meanwhile {
    my ($steps) = @_;
    my $process = fork // die "cannot fork: $!\n";
    return if $process;
    $steps->();
    POSIX::_exit(0);    # It must not tidy up what is ours.
}

1;
