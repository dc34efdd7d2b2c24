// The session that a store gets: what express-session would give it.

// The members of a record's cookie that are not members of the object.
const isReserved = (name) => name === "expires" || name === "_expires" || name in Cookie.prototype;

const RECORD = Symbol("record");
const WAS = Symbol("was");

// What express-session gives a store as `session.cookie`. It prints as the record has it, so that nothing is lost.
class Cookie {
  constructor(members) {
    const expires = typeof members.expires === "string" ? new Date(members.expires) : members.expires;
    Object.defineProperty(this, RECORD, { value: members });
    Object.defineProperty(this, WAS, { value: expires instanceof Date ? expires.getTime() : expires });
    for (const name of Object.keys(members)) {
      if (!isReserved(name)) this[name] = members[name];
    }
    this._expires = expires;
  }
  get expires() {
    return this._expires;
  }
  set expires(date) {
    this._expires = date;
    this.originalMaxAge = this.maxAge;
  }
  get maxAge() {
    return this._expires instanceof Date ? this._expires.valueOf() - Date.now() : this._expires;
  }
  set maxAge(ms) {
    this.expires = typeof ms === "number" ? new Date(Date.now() + ms) : ms;
  }
  get data() {
    const data = {};
    for (const name of Object.keys(this[RECORD])) {
      if (name === "expires") data.expires = this.date();
      else if (isReserved(name)) Object.defineProperty(data, name, { value: this[RECORD][name], enumerable: true });
      else if (name in this) data[name] = this[name];
    }
    for (const name of Object.keys(this)) if (name !== "_expires" && !(name in data)) data[name] = this[name];
    if (!("expires" in data) && this._expires !== undefined) data.expires = this._expires;
    return data;
  }
  date() {
    const now = this._expires;
    if (!(now instanceof Date)) return now;
    const same = Object.is(now.getTime(), this[WAS]);
    const prints = !isNaN(now) && now.toISOString() === this[RECORD].expires;
    return same && !prints ? this[RECORD].expires : now;
  }
  toJSON() {
    return this.data;
  }
}

function toSession(record) {
  const session = JSON.parse(record);
  const { cookie } = session;
  if (cookie && typeof cookie === "object" && !Array.isArray(cookie)) session.cookie = new Cookie(cookie);
  return session;
}
