"""The values that the middleware's JSON has objects for, made with Python's own types."""
import datetime, ipaddress, json, math, re

ISO_TIME = re.compile(r'\d\d:\d\d(:\d\d([.,]\d{1,6})?)?(Z|[+-]\d\d:[0-5]\d(:[0-5]\d)?)?', re.ASCII)
REFUSALS = (ValueError, TypeError, OverflowError, OSError, AttributeError)


class Extended:
    """The middleware's object hook. `odd` where it takes what nobody writes, and what midclt sends as the text that it is."""

    def __init__(self):
        self.odd = False

    def integer(self, text):
        self.odd = self.odd or not text.isascii() or len(text) > 100
        return int(text)

    def hook(self, members):
        if len(members) == 1:
            (key, value), = members.items()
            convert = {'$date': self.date, '$time': self.time, '$set': set, '$ipv4_interface': self.interface4, '$ipv6_interface': self.interface6}.get(key)
            return members if convert is None else convert(value)
        if len(members) == 2 and members.get('$type') == 'date' and '$value' in members:
            return datetime.date(*[self.integer(part) for part in members['$value'].split('-')])
        return members

    def date(self, milliseconds):
        # Versions divide in two ways; what one of them refuses must not be sent.
        fraction = datetime.timedelta(milliseconds=milliseconds % 1000)
        found = [datetime.datetime.fromtimestamp(seconds, tz=datetime.timezone.utc) + fraction for seconds in (milliseconds // 1000, milliseconds / 1000)]
        self.odd = self.odd or milliseconds >= 253402300799000
        return found[0]

    def time(self, text):
        try:
            parts = text.split(':')
            self.odd = self.odd or len(parts) > 4 or len(text) > 100
            return datetime.time(*[self.integer(part) for part in parts[:4]])
        except ValueError:
            # Newer servers.
            self.odd = self.odd or not ISO_TIME.fullmatch(text)
            return datetime.time.fromisoformat(text)

    def interface4(self, text):
        self.odd = self.odd or not isinstance(text, str)
        return ipaddress.IPv4Interface(text)

    def interface6(self, text):
        self.odd = self.odd or not isinstance(text, str)
        return ipaddress.IPv6Interface(text)


def written(value):
    if isinstance(value, datetime.datetime):
        return {'$date': math.floor(value.timestamp()) * 1000}
    if isinstance(value, datetime.time):
        return {'$time': str(value)}
    if isinstance(value, datetime.date):
        return {'$type': 'date', '$value': value.isoformat()}
    if isinstance(value, set):
        return {'$set': list(value)}
    return {f'$ipv{value.version}_interface': str(value)}


def extended(text):
    """Whether the middleware converts what is in the text, and what it writes of that."""
    types = Extended()
    try:
        value = json.loads(text, object_hook=types.hook)
    except REFUSALS:
        return {'takes': False}
    return {'takes': True, 'odd': types.odd, 'written': json.dumps(value, default=written)}
