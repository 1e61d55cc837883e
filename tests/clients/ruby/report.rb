# How a program tells the runner what it has found: a line for each scenario.

# A scenario found something else than it should have.
class Surprise < StandardError; end

# Run one scenario and say how it went. The others run even if it fails.
def scenario(name)
  yield
  puts "ok #{name}"
rescue StandardError => error
  puts "FAIL #{name}: #{error.class}: #{error.message.lines.first&.chomp}"
ensure
  $stdout.flush
end

# Raise Surprise unless the two are equal.
def expect(what, got, wanted)
  raise Surprise, "#{what}: #{got.inspect}, not #{wanted.inspect}" unless got == wanted
end

# Have the runner cut the connection with this id; return once it has.
def have_cut(client_id)
  puts "cut #{client_id}"
  $stdout.flush
  $stdin.gets
end
