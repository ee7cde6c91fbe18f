"""Answers what Python makes of what tests make up: a line of JSON `[question, argument]` in, a line of JSON out."""
import base64, errno, io, json, math, pprint, re, sys, threading, traceback, unicodedata
from json.decoder import scanstring
from python_types import extended
from python_words import argv, launched, takes

DEEP = 50_000
BLANKS = re.compile(r'[ \t\n\r]*')


def view(value):
    """A value with the types that JSON leaves out, as JSON."""
    if isinstance(value, dict):
        return {'dict': [[key, view(each)] for key, each in value.items()]}
    if isinstance(value, list):
        return {'list': [view(each) for each in value]}
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    return {type(value).__name__: repr(value)}


def depth_of(value):
    """How many lists and dicts are in each other, at most."""
    deepest, left = 0, [(value, 1)]
    while left:
        each, depth = left.pop()
        if isinstance(each, (dict, list)):
            deepest = max(deepest, depth)
            left += [(item, depth + 1) for item in (each.values() if isinstance(each, dict) else each)]
    return deepest


def without_limits(text):
    """The value, and the digits of the longest integer in it; or None."""
    digits = [0]

    def integer(word):
        digits.append(len(word.lstrip('-')))
        return int(word) if digits[-1] <= 4300 else 0

    try:
        return json.loads(text, parse_int=integer), max(digits)
    except ValueError:
        return None


def pieces_of(text):
    """Of an object the key and the text of each member, of a list the text of each element, as Python's own scanners find them."""
    decoder = json.JSONDecoder()
    found = []
    at = BLANKS.match(text).end()
    close = {'{': '}', '[': ']'}.get(text[at])
    if close is None:
        return None
    at = BLANKS.match(text, at + 1).end()
    while text[at] != close:
        key = None
        if close == '}':
            key, at = scanstring(text, at + 1)
            at = BLANKS.match(text, BLANKS.match(text, at).end() + 1).end()
        _, end = decoder.raw_decode(text, at)
        found.append([key, text[at:end]])
        at = BLANKS.match(text, end).end()
        if text[at] == ',':
            at = BLANKS.match(text, at + 1).end()
    return found


def base64_of(text):
    return base64.b64encode(text.encode('utf-8', 'surrogateescape')).decode()


def json_text(question):
    """What there is in the bytes of a text; `sent` is what an argument of this text became, `line` a request with it."""
    data = base64.b64decode(question['bytes'])
    # Bytes that are no UTF-8 become characters that mean nothing to JSON.
    text = data.decode('utf-8', 'surrogateescape')
    answer = {'takes': takes(text)}
    try:
        data.decode('utf-8')
        answer['utf8'] = True
    except UnicodeDecodeError:
        answer['utf8'] = False
    found = without_limits(text)
    answer['takesLonger'] = found is not None
    line = base64.b64decode(question['line']).decode('utf-8', 'surrogateescape')
    answer['lineTakes'] = takes(line)
    if found is None:
        return answer
    answer['depth'], answer['digits'] = depth_of(found[0]), found[1]
    if answer['takes']:
        pieces = pieces_of(text)
        answer['pieces'] = pieces and [[key, base64_of(each)] for key, each in pieces]
        if answer['utf8']:
            answer['value'] = view(json.loads(text))
            answer['isSame'] = view(json.loads(question['sent'])) == answer['value']
    return answer


def whole(text):
    """As bytes, where each half of a pair that stands alone becomes U+FFFD."""
    joined = text.encode('utf-16-le', 'surrogatepass').decode('utf-16-le', 'replace')
    return joined.encode().decode()


def printed(text):
    """What the server writes of a value, and what the client prints of that."""
    value = json.loads(text)
    written = json.dumps(value)
    out = io.StringIO()
    if isinstance(value, (str, bool)):
        print(value, file=out)
    else:
        print(json.dumps(value), file=out)
    return [written, whole(out.getvalue())]


def error_text(argument):
    """What is printed of an error: its reason and the server's traceback; and what else there is."""
    reason, formatted, extra = argument
    out = io.StringIO()
    if reason:
        print(reason, file=out)
    if formatted is not None:
        print(formatted, file=out)
    more = io.StringIO()
    value = json.loads(extra)
    if value:
        pprint.pprint(value, stream=more)
    return [out.getvalue(), more.getvalue()]


def strict(argument):
    """Of a text in three forms of strict JSON: which of them is not the same value, or not strict."""
    text, one, pretty, lines = argument

    def refuse(word):
        raise ValueError('not strict: ' + word)

    def same(a, b):
        if isinstance(a, float) and not math.isfinite(a):
            return b is None or a == b  # 1E400 is spelled as a number
        if type(a) is not type(b):
            return False
        if isinstance(a, list):
            return len(a) == len(b) and all(map(same, a, b))
        if isinstance(a, dict):
            return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
        return a == b

    def once(pairs):
        if len(dict(pairs)) < len(pairs):
            raise KeyError('twice')
        return dict(pairs)

    def is_plain():
        try:
            json.loads(text, object_pairs_hook=once)
        except KeyError:
            return False
        return not any(each in text for each in ('NaN', 'Inf', '\x7f'))

    def load(each):
        return json.loads(each, parse_constant=refuse)

    def shape(each):
        values = json.loads(each, parse_float=lambda _: 0, parse_int=lambda _: 0)
        return json.dumps(values, indent=2, ensure_ascii=False)

    value = json.loads(text)
    wrong = []
    if one.count('\n') != 1 or not same(value, load(one)):
        wrong.append('line')
    if not same(value, load(pretty)):
        wrong.append('pretty')
    got = [load(each) for each in lines.split('\n')[:-1]]
    if not same(value if isinstance(value, list) else [value], got):
        wrong.append('lines')
    if is_plain() and (shape(text) != shape(pretty) or shape(pretty).count('\n') != pretty.rstrip('\n').count('\n')):
        wrong.append('shape')
    return wrong


def toml(texts):
    """None where this Python can't say."""
    try:
        import tomllib
    except ImportError:
        return None
    return [tomllib.loads(text) for text in texts]


QUESTIONS = {
    'argv': argv,
    'error': error_text,
    'extended': extended,
    'json': json_text,
    'launched': launched,
    'pprint': lambda text: pprint.pformat(json.loads(text)),
    'printed': printed,
    'repr': repr,
    'repr-of-float': lambda text: repr(float(text)),
    'strict': strict,
    'toml': toml,
    # The code points that stand for themselves in a repr, and those that are none yet, as ranges.
    'printable': lambda _: ranges(lambda each: each.isprintable()),
    'unassigned': lambda _: ranges(lambda each: unicodedata.category(each) == 'Cn'),
    'validation': lambda entries: '\n'.join(f"[{errno.errorcode.get(code, 'EUNKNOWN')}] {name or 'ALL'}: {text}" for name, text, code in entries),
    'version': lambda _: list(sys.version_info[:2]),
}


def ranges(holds):
    found = []
    for code in range(0x110000):
        if not holds(chr(code)):
            continue
        if found and found[-1][1] == code:
            found[-1][1] = code + 1
        else:
            found.append([code, code + 1])
    return found


def answer():
    for line in sys.stdin:
        question, about = json.loads(line)
        try:
            said = {'answer': QUESTIONS[question](about)}
        except Exception:
            said = {'raised': traceback.format_exc()}
        sys.stdout.write(json.dumps(said) + '\n')
        sys.stdout.flush()


# What is deeper than this program's own stack is for the limits of others to refuse.
sys.setrecursionlimit(DEEP)
threading.stack_size(512 * 1024 * 1024)
thread = threading.Thread(target=answer)
thread.start()
thread.join()
