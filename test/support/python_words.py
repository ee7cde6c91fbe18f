"""What the original program makes of the words that it is given."""
import argparse, base64, contextlib, io, json, subprocess


def takes(text):
    try:
        json.loads(text)
        return True
    except ValueError:
        return False


def original():
    """The command line of the original program."""
    parser = argparse.ArgumentParser(prog='midclt')
    for names in (('-u', '--uri'), ('-U', '--username'), ('-P', '--password'), ('-K', '--api-key')):
        parser.add_argument(*names)
    parser.add_argument('-t', '--timeout', type=int)
    parser.add_argument('-d', '--use-daemon', action='store_true')
    for name in ('--insecure', '--plain', '--no-channel-binding'):
        parser.add_argument(name, action='store_true')
    commands = parser.add_subparsers(dest='name')
    call = commands.add_parser('call')
    call.add_argument('-q', '--quiet', action='store_true')
    call.add_argument('-j', '--job', action='store_true')
    call.add_argument('-jp', '--job-print', choices=['progressbar', 'description'], default='progressbar')
    call.add_argument('method', nargs='+')
    commands.add_parser('ping')
    subscribe = commands.add_parser('subscribe')
    subscribe.add_argument('-n', '--number', type=int)
    subscribe.add_argument('-t', '--timeout', type=int)
    subscribe.add_argument('event')
    daemon = commands.add_parser('daemon')
    daemon.add_argument('--lifetime', type=int, default=600)
    daemon.add_argument('--log-file')
    commands.add_parser('daemon-stop')
    return parser


PARSER = original()


def argv(words):
    """Its values, or how it ends: with which exit code, which usage and which message."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            return {'values': {key: str(value) if type(value) is int else value for key, value in vars(PARSER.parse_args(words)).items()}}
    except SystemExit as end:
        usage = (out.getvalue() or err.getvalue()).split(' [')[0]
        # A value in the message may have line ends.
        message = err.getvalue()[err.getvalue().find('error: '):]
        return {'exit': end.code, 'usage': usage, 'message': message.rstrip('\n')}


def argument(word):
    """What the original makes of an argument. `-` is stdin, which is empty."""
    if word == b'-':
        return ''
    text = word.decode('utf-8', 'replace')
    return json.loads(text) if takes(text) else text


def launched(question):
    """What a program of these words prints, and whether that is a list of what the arguments among them are."""
    words, arguments = ([base64.b64decode(word) for word in question[name]] for name in ('words', 'arguments'))
    run = subprocess.run(words + arguments, env=question['env'], stdin=subprocess.DEVNULL, capture_output=True)
    out = run.stdout.decode('utf-8', 'replace')
    expected = [argument(word) for word in arguments]
    return {
        'code': run.returncode,
        'stdout': out,
        'stderr': run.stderr.decode('utf-8', 'replace'),
        'expected': json.dumps(expected),
        'isSame': takes(out) and repr(json.loads(out)) == repr(expected),
    }
