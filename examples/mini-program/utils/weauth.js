// Login through weauth, without dependencies.
//
//   weauth.configure({ baseUrl: 'https://login.example.com' })           once, in app.js
//   const answer = await weauth.request({ url: 'https://api.example.com/notes' })
//
// `request` takes what wx.request takes and logs in by itself. It resolves to the response
// ({ statusCode, data, header }) and rejects with a problem: { status, code, retry, detail, request_id }.

const STORAGE_KEY = 'weauth.session'
const EARLY = 60 * 1000 // a token is renewed this long before it ends
const TRIES = 3 // codes brought to one login, at most
const PATIENCE = 10 // seconds that somebody is left waiting between two of them

const settings = {
  baseUrl: 'http://127.0.0.1:8080',
  appid: undefined, // needed only where the server serves several mini-programs
  code: wxLogin, // replaced where there is no WeChat behind the server
}

let session // { accessToken, user, since, until }, both times by this phone's own clock
let login // the login under way, a promise

function configure(changes) {
  Object.assign(settings, changes)
}

async function request(options) {
  const token = await accessToken()
  const first = await send(withToken(options, token))
  if (first.statusCode !== 401 || problemOf(first).retry !== 'relogin') return checked(first)
  forget(token)
  return checked(await send(withToken(options, await accessToken())))
}

// The user, logged in where that is not done yet.
async function user() {
  await accessToken()
  return session.user
}

async function accessToken() {
  if (session === undefined) session = wx.getStorageSync(STORAGE_KEY) || null
  const now = Date.now()
  if (session && session.since <= now && now < session.until - EARLY) return session.accessToken
  // Whoever comes while a login is under way waits for that one.
  if (!login) login = signIn().finally(() => { login = undefined })
  return (await login).accessToken
}

// Forgets a token that was refused, unless another request has replaced it already.
function forget(token) {
  if (session && session.accessToken === token) {
    session = null
    wx.removeStorageSync(STORAGE_KEY)
  }
}

async function signIn() {
  let problem
  for (let tries = 0; tries < TRIES; tries++) {
    const answer = await exchange(await settings.code())
    if (answer.statusCode === 200) return keep(answer.data)
    problem = problemOf(answer)
    if (problem.retry === 'none' || tries + 1 === TRIES) break
    if (problem.retry === 'later') {
      const seconds = retryAfter(answer)
      if (seconds > PATIENCE) break
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    }
  }
  throw problem
}

// Brings one code to the server. Where no answer comes back, the same code goes out once more with the same
// Idempotency-Key: if the first one did arrive, this one is given the same session.
async function exchange(code) {
  const options = {
    url: settings.baseUrl + '/login',
    method: 'POST',
    data: settings.appid ? { code, appid: settings.appid } : { code },
    header: { 'Content-Type': 'application/json', 'Idempotency-Key': randomKey() },
  }
  try {
    return await send(options)
  } catch (noAnswer) {
    return send(options)
  }
}

// `expires_in` is counted from now by this phone's clock; whether that clock is right does not matter.
function keep(data) {
  const since = Date.now()
  session = { accessToken: data.access_token, user: data.user, since, until: since + data.expires_in * 1000 }
  wx.setStorageSync(STORAGE_KEY, session)
  return session
}

function withToken(options, token) {
  return { ...options, header: { ...options.header, Authorization: 'Bearer ' + token } }
}

function checked(answer) {
  if (answer.statusCode >= 400) throw problemOf(answer)
  return answer
}

// The problem object of an answer, also where it is not one of weauth's.
function problemOf(answer) {
  const data = answer.data && answer.data.code ? answer.data : {}
  const code = 'http_' + answer.statusCode
  return { status: answer.statusCode, code, retry: answer.statusCode >= 500 ? 'later' : 'none', ...data }
}

function retryAfter(answer) {
  const name = Object.keys(answer.header || {}).find((key) => key.toLowerCase() === 'retry-after')
  return Number(name && answer.header[name]) || 2
}

function randomKey() {
  return Date.now().toString(36) + Math.random().toString(36).slice(2) + Math.random().toString(36).slice(2)
}

function send(options) {
  return new Promise((resolve, reject) => {
    wx.request({
      timeout: 15000,
      ...options,
      success: resolve,
      fail: (error) => reject({ status: 0, code: 'no_answer', retry: 'later', detail: error.errMsg }),
    })
  })
}

function wxLogin() {
  return new Promise((resolve, reject) => {
    wx.login({
      success: ({ code }) => resolve(code),
      fail: (error) => reject({ status: 0, code: 'wx_login_failed', retry: 'later', detail: error.errMsg }),
    })
  })
}

module.exports = { configure, request, user }
