// Drives examples/mini-program/utils/weauth.js against a running `weauth dev`, with a `wx` made of fetch.
// Not part of the test command, as it needs Node.js (18 or later):
//
//   weauth dev &
//   node tests/mini_program.js http://127.0.0.1:8080

const assert = require('node:assert')
const path = require('node:path')

const base = process.argv[2] || 'http://127.0.0.1:8080'
const module_path = path.join(__dirname, '../examples/mini-program/utils/weauth.js')
const run = Date.now()

let codes // what wx.login gives, in order; then codes of alice
let calls // what was sent, as `METHOD /path`
let keys // the Idempotency-Keys sent
let lose // how many answers are lost on their way back
let storage

globalThis.wx = {
  login: ({ success }) => success({ code: codes.shift() || `sim.alice.${run}-${Math.random()}` }),
  getStorageSync: (key) => storage.get(key) || '',
  setStorageSync: (key, value) => storage.set(key, structuredClone(value)),
  removeStorageSync: (key) => storage.delete(key),
  async request({ url, method = 'GET', data, header = {}, success, fail }) {
    calls.push(`${method} ${new URL(url).pathname}`)
    if (header['Idempotency-Key']) keys.push(header['Idempotency-Key'])
    const answer = await fetch(url, { method, headers: header, body: data && JSON.stringify(data) })
    const text = await answer.text()
    if (lose > 0) {
      lose -= 1
      return fail({ errMsg: 'request:fail' })
    }
    success({ statusCode: answer.status, data: JSON.parse(text), header: Object.fromEntries(answer.headers) })
  },
}

// The module as after a start of the mini-program; storage lives on where it is given.
function launch(given = { codes: [] }) {
  codes = given.codes
  storage = given.storage || new Map()
  calls = []
  keys = []
  lose = given.lose || 0
  delete require.cache[module_path]
  const weauth = require(module_path)
  weauth.configure({ baseUrl: base })
  return weauth
}

const logins = () => calls.filter((call) => call === 'POST /login').length
const me = { url: base + '/me' }

const checks = {
  async 'five requests at once log in once'() {
    const weauth = launch()
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => weauth.request(me)))
    assert.deepStrictEqual([logins(), new Set(answers.map((answer) => answer.data.id)).size], [1, 1])
  },
  async 'a session is still there after a restart'() {
    await launch().request(me)
    await launch({ codes: [], storage }).request(me)
    assert.strictEqual(logins(), 0)
  },
  async 'a refused token is replaced once, however many requests carry it'() {
    const weauth = launch()
    await weauth.request(me)
    const session = storage.get('weauth.session')
    storage.set('weauth.session', { ...session, accessToken: session.accessToken.slice(0, -4) + 'AAAA' })
    const again = launch({ codes: [], storage })
    await Promise.all([1, 2, 3].map(() => again.request(me)))
    assert.deepStrictEqual([logins(), calls.length], [1, 7])
  },
  async 'a token is renewed when its time is over by the clock of the phone, or that clock went back'() {
    for (const moved of [-7200_000, 3600_000]) {
      await launch().request(me)
      const session = storage.get('weauth.session')
      storage.set('weauth.session', { ...session, since: session.since + moved, until: session.until + moved })
      await launch({ codes: [], storage }).request(me)
      assert.strictEqual(logins(), 1)
    }
  },
  async 'a lost answer is asked for again with the same code and key'() {
    const user = await launch({ codes: [`sim.bob.${run}-lost`], lose: 1 }).user()
    assert.ok(user.id)
    assert.deepStrictEqual([logins(), new Set(keys).size], [2, 1])
  },
  async 'a code that is refused is replaced by a new one'() {
    await launch({ codes: [`fault.40029.${run}`] }).request(me)
    assert.deepStrictEqual([logins(), new Set(keys).size], [2, 2])
  },
  async 'a busy WeChat is asked again after Retry-After'() {
    const began = Date.now()
    await launch({ codes: [`fault.-1.${run}`] }).request(me)
    assert.ok(logins() === 2 && Date.now() - began >= 3000)
  },
  async 'what can not succeed is not repeated'() {
    const problem = await launch({ codes: [`fault.40226.${run}`] }).request(me).catch((problem) => problem)
    assert.deepStrictEqual([problem.code, problem.retry, logins()], ['wechat_user_blocked', 'none', 1])
    const limited = await launch({ codes: [`fault.45011.${run}`] }).request(me).catch((problem) => problem)
    assert.deepStrictEqual([limited.code, limited.retry, logins()], ['wechat_rate_limited', 'later', 1])
    const missing = await launch().request({ url: base + '/nowhere' }).catch((problem) => problem)
    assert.deepStrictEqual([missing.status, missing.code], [404, 'not_found'])
  },
}

async function main() {
  for (const [name, check] of Object.entries(checks)) {
    await check()
    console.log(`ok  ${name}`)
  }
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
