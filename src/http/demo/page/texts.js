// Every string of the page, once: [Chinese, English]. {name} is filled in by t().

const TABLE = {
  title: ["weauth 演示", "weauth demo"],
  skip: ["跳到演示", "Skip to the demo"],
  language: ["Switch to English", "切换到中文"],
  "language.short": ["English", "中文"],
  hero: ["微信小程序登录，一分钟看懂", "WeChat login, understood in a minute"],
  lead: [
    "这个页面扮演一个小程序。它背后是真正的 weauth 服务器和一个模拟的微信，都运行在你自己的电脑上。点一下按钮，看看每一步发生了什么。",
    "This page plays a mini-program. Behind it run the real weauth server and a simulated WeChat, both on your own machine. Press a button and watch every step.",
  ],
  play: ["一次走完三步", "Play all three steps"],
  secret: [
    "session_key 和 AppSecret 留在服务器上：没有任何接口会把它们交出来，所以这个页面想显示也显示不了。",
    "The session_key stays on the server, and so does the AppSecret. No API answers them, so this page could not show them if it tried.",
  ],

  // The mini-program
  phone: ["小程序", "Mini-program"],
  who: ["谁拿着手机？", "Who is holding the phone?"],
  user: ["微信用户的名字", "Name of the WeChat user"],
  "step1.title": ["拿到一个 code", "Get a code"],
  "step1.text": [
    "小程序调用 wx.login()，微信返回一个 code：只能用一次，五分钟内有效。",
    "The mini-program calls wx.login() and WeChat hands it a code: good once, for five minutes.",
  ],
  "step2.title": ["用 code 登录", "Log in with it"],
  "step2.text": [
    "weauth 用 code 向微信换取身份，找到或新建用户，再签发令牌。",
    "weauth exchanges the code at WeChat, finds or creates the user, and signs a token.",
  ],
  "step3.title": ["带着令牌调用接口", "Call an API with the token"],
  "step3.text": [
    "weauth 自行验证签名，不再询问微信。",
    "weauth checks the signature by itself; WeChat is not asked again.",
  ],
  "code.none": ["还没有 code", "no code yet"],
  "code.fresh": ["未使用，还剩 {left}", "unused, {left} left"],
  "code.spent": ["已使用", "used"],
  "code.expired": ["已过期", "expired"],
  "signed.out": ["还没有登录", "Not logged in"],
  "signed.out.sub": ["从第 1 步开始", "Start with step 1"],
  "signed.new": ["新用户，刚刚创建", "New user, created just now"],
  "signed.back": ["老用户，欢迎回来", "Known user, welcome back"],

  // The flow
  flow: ["流程", "The flow"],
  "node.mini": ["小程序", "Mini-program"],
  "node.mini.sub": ["这个页面", "this page"],
  "node.weauth.sub": ["登录服务器", "login server"],
  "node.wechat": ["微信", "WeChat"],
  "node.wechat.sub": ["模拟器", "simulator"],
  "node.wechat.fault": ["故障：{fault}", "fault: {fault}"],
  "node.db": ["数据库", "Database"],
  counter: ["微信收到 {calls} 次请求，成功换取 {ok} 次", "WeChat: {calls} calls, {ok} codes exchanged"],
  "hop.save": ["用户、会话", "user, session"],
  "hop.read": ["读取用户", "read user"],
  "hop.tokens": ["令牌", "tokens"],
  "hop.bearer": ["Bearer 令牌", "Bearer token"],
  "hop.notoken": ["没有令牌", "no token"],
  "hop.user": ["用户", "user"],
  "hop.keys": ["公钥", "public keys"],
  "hop.failed": ["失败", "failed"],
  "hop.used": ["已用过", "already used"],

  // What happened, in one sentence
  "note.idle": [
    "点一下按钮，看看请求会走到哪里。",
    "Press a button to see how far the request travels.",
  ],
  "note.waiting": ["等待响应…", "Waiting for an answer…"],
  "note.name": [
    "在模拟的微信中，名字只能由 1 至 64 个字母 a–z、数字、- 和 _ 组成。",
    "The simulated WeChat takes names of 1 to 64 letters a–z, digits, - and _ only.",
  ],
  "note.wx": [
    "微信给了小程序一个 code。code 本身什么都证明不了：要用它换取身份，还需要服务器上的 AppSecret。",
    "WeChat gave the mini-program a code. By itself it proves nothing: turning it into a person takes the AppSecret, on the server.",
  ],
  "note.login.new": [
    "微信认出了 {user}。weauth 新建了用户，加密保存了 session_key，并签发了令牌。",
    "WeChat knew {user}. weauth created the user, stored the session_key encrypted and signed a token.",
  ],
  "note.login.back": [
    "微信认出了 {user}。weauth 找到了已有的用户，并签发了新的令牌。",
    "WeChat knew {user}. weauth found the existing user and signed a new token.",
  ],
  "note.login.retried": [
    "微信第一次返回“系统繁忙”，weauth 用同一个 code 再试了一次。小程序毫无察觉。",
    "WeChat said “busy” and weauth tried the same code again. The mini-program noticed nothing.",
  ],
  "note.replay": [
    "code 和 Idempotency-Key 都与刚才相同：weauth 认出这是同一次登录的重试，返回了同一个会话的令牌。",
    "Same code, same Idempotency-Key: weauth knows a retry of one login when it sees it, and gives tokens of the same session.",
  ],
  "note.me": [
    "签名有效，weauth 直接返回结果，没有询问微信。",
    "The signature holds, so weauth answers. WeChat was not asked.",
  ],
  "note.jwks": [
    "任何后端都能用这些公钥自行校验令牌。私钥不会离开服务器。",
    "With these public keys any backend can verify tokens by itself. The private keys never leave the server.",
  ],
  "note.parallel": [
    "{n} 个请求带着同一个 code，weauth 只向微信换取了 {exchanges} 次。",
    "{n} requests brought one code; WeChat exchanged it {exchanges}×.",
  ],
  "note.failed": ["{why}{do}", "{why} {do}"],
  "note.circuit": [
    "微信刚才接连出错，weauth 暂时不再请求微信，立即返回结果。{do}",
    "WeChat failed several times, so weauth leaves it alone for a moment and answers at once. {do}",
  ],
  "note.network": [
    "没有响应。weauth dev 还在运行吗？",
    "No answer. Is weauth dev still running?",
  ],
  "why.other": ["weauth 返回 {code}。", "weauth answered {code}."],
  "why.wechat_code_used": ["这个 code 已经换取过了。", "This code has been exchanged before."],
  "why.wechat_code_invalid": ["微信不接受这个 code。", "WeChat does not accept this code."],
  "why.wechat_user_blocked": [
    "微信认为这个用户有风险，拦截了登录。",
    "WeChat judges this user high-risk and blocks the login.",
  ],
  "why.wechat_rate_limited": [
    "这个小程序本分钟的调用次数已用完。",
    "This mini-program has used up its calls for the minute.",
  ],
  "why.wechat_bad_response": ["weauth 无法信任微信返回的内容。", "What WeChat sent is no answer weauth can trust."],
  "why.wechat_misconfigured": [
    "有一项配置有误，需要管理员修正，办法见日志。",
    "A setting is wrong. The operator must act, and the log says how.",
  ],
  "why.wechat_unavailable": ["微信暂时不可用。", "WeChat cannot be used right now."],
  "why.wechat_timeout": [
    "微信迟迟没有响应，weauth 没有让小程序一直等下去。",
    "WeChat took too long, and weauth did not keep the mini-program waiting.",
  ],
  "why.token_missing": ["这个接口需要令牌。", "This call needs a token."],
  "why.token_invalid": ["签名不匹配，令牌不可信。", "The signature does not fit, so the token is not trusted."],
  "why.token_expired": ["令牌已过期。", "The token has expired."],
  "why.token_revoked": ["这个会话已经结束。", "The session has ended."],
  "why.rate_limited": ["来自同一个地址的登录过于频繁。", "Too many logins from one address."],
  "do.relogin": [
    "小程序应当重新调用 wx.login，再试一次。",
    "The mini-program calls wx.login again and tries once more.",
  ],
  "do.later": ["小程序应当稍后再试。", "The mini-program tries again later."],
  "do.none": ["重试没有用。", "Trying again would not help."],

  // The inspector
  wire: ["HTTP 请求与响应", "On the wire"],
  request: ["请求", "Request"],
  response: ["响应", "Response"],
  copy: ["复制", "Copy"],
  copied: ["已复制", "Copied"],
  uncopied: ["无法复制，请手动选择", "Could not copy: select it by hand"],
  history: ["之前的请求", "Earlier requests"],
  "wire.empty": ["还没有请求", "No request yet"],
  "wire.empty.body": ["响应会显示在这里。", "The answer will appear here."],
  noanswer: ["无响应", "no answer"],
  announce: ["{what}：{status}，{ms} 毫秒。{note}", "{what}: {status}, {ms} ms. {note}"],

  // The token
  token: ["令牌里写了什么", "What the token says"],
  "token.lead": [
    "访问令牌是一个 JWT：只有 weauth 能签发，但谁都能读，所以里面没有秘密。",
    "The access token is a JWT: anyone can read it, only weauth can sign it. So it holds no secrets.",
  ],
  "token.none": ["登录之后，令牌会显示在这里。", "Log in, and the token appears here."],
  "token.more": ["看看令牌里写了什么", "See what the token says"],
  "token.header": ["头部", "Header"],
  "token.payload": ["载荷", "Payload"],
  "token.left": ["还剩 {left}", "{left} left"],
  "token.over": ["已过期", "expired"],
  "claim.alg": ["签名算法，由服务器决定", "signature algorithm, chosen by the server"],
  "claim.kid": ["用哪个公钥校验", "which public key verifies it"],
  "claim.typ": ["访问令牌（RFC 9068），不能用作其他令牌", "an access token (RFC 9068), good as nothing else"],
  "claim.iss": ["签发者", "who issued it"],
  "claim.sub": ["用户：weauth 自己的 id，不是 openid", "the user: weauth’s own id, not the openid"],
  "claim.aud": ["接收方", "who should accept it"],
  "claim.client_id": ["所属的小程序（appid）", "which mini-program (appid)"],
  "claim.iat": ["签发时间", "issued at"],
  "claim.exp": ["过期时间", "expires at"],
  "claim.jti": ["这个令牌的 id", "this token’s own id"],
  "claim.sid": ["会话：退出登录或封禁会结束它", "the session: logout or a ban ends it"],
  "claim.roles": ["角色", "roles"],
  "claim.scope": ["权限，以空格分隔", "permissions, separated by spaces"],

  // The experiments
  break: ["试着弄坏它", "Try to break it"],
  "break.lead": [
    "这些都是小程序登录在现实中会遇到的情况。每个按钮都可以单独点击。",
    "What mini-program logins meet in the real world. Every button works on its own.",
  ],
  "twice.title": ["同一个 code 用两次", "The same code twice"],
  "twice.text": [
    "别人捡到了 code：拒绝。响应在网络中丢失，小程序带着同一个 Idempotency-Key 重试：得到同一个会话。",
    "Someone else found the code: refused. The network lost the answer and the mini-program retries with its Idempotency-Key: same session.",
  ],
  repeat: ["重复使用这个 code", "Repeat the code"],
  "repeat.key": ["带上 Idempotency-Key", "With Idempotency-Key"],
  "parallel.title": ["二十个请求，一个 code", "Twenty requests, one code"],
  "parallel.text": [
    "一个 code 只换取一次，只产生一个用户、一个会话。浏览器同时最多打开六个连接，所以这些请求都带有同一个 Idempotency-Key。",
    "One code is exchanged once and makes one user and one session. A browser opens six connections at a time, so all carry one Idempotency-Key.",
  ],
  parallel: ["同时发送 20 个登录", "Send 20 logins at once"],
  "parallel.dots": ["每个请求一格", "One square per request"],
  "parallel.out": [
    "{ok} 个成功 · {users} 个用户 · {sessions} 个会话 · 向微信换取 {exchanges} 次",
    "{ok} answers · users: {users} · sessions: {sessions} · exchanges at WeChat: {exchanges}",
  ],
  "fault.title": ["微信出了状况", "WeChat has a bad day"],
  "fault.text": [
    "让模拟的微信出错，再登录一次，看看小程序会得到什么。",
    "Make the simulated WeChat misbehave, log in again, and see what the mini-program gets.",
  ],
  fault: ["故障类型", "Which fault"],
  "fault.on": ["开启故障", "Switch on"],
  "fault.off": ["恢复正常", "Back to normal"],
  "fault.try": ["再登录一次", "Log in again"],
  "fault.is.on": ["故障已开启，现在登录试试。", "The fault is on. Now log in."],
  "fault.is.off": ["微信已恢复正常。", "WeChat is back to normal."],
  "fault.other": ["其他故障", "another one"],
  "fault.busy-once": ["系统繁忙 -1（一次）", "Busy, -1, once"],
  "fault.busy": ["系统繁忙 -1（持续）", "Busy, -1, all the time"],
  "fault.quota": ["每分钟调用超限 45011", "Minute quota used up, 45011"],
  "fault.risk": ["高风险用户 40226", "High-risk user, 40226"],
  "fault.code": ["code 无效 40029", "Invalid code, 40029"],
  "fault.secret": ["AppSecret 错误 40125", "Wrong AppSecret, 40125"],
  "fault.html": ["返回一个 HTML 错误页", "An HTML error page"],
  "fault.latency": ["延迟两秒", "Two seconds late"],
  "fault.timeout": ["一直没有响应", "No answer at all"],
  "fault.http": ["网关错误 502", "A gateway’s 502"],
  "fault.reset": ["连接被重置", "Connection reset"],
  "fault.lost": ["code 已换取，但响应丢失", "Code exchanged, answer lost"],
  "guard.title": ["没有令牌，或令牌已损坏", "No token, or a broken one"],
  "guard.text": [
    "改动一个字符，签名就对不上了。",
    "Change one character and the signature no longer fits.",
  ],
  "me.none": ["不带令牌", "Without a token"],
  "me.broken": ["改动一个字符", "One character changed"],
  "jwks.title": ["公钥", "Public keys"],
  "jwks.text": [
    "你的后端用它们在本地校验令牌，不必每次都询问 weauth。",
    "Your backend verifies tokens with them, locally, without asking weauth each time.",
  ],
  jwks: ["查看 JWKS", "View the JWKS"],
  footer: [
    "这个页面和模拟的微信由 weauth dev 提供；weauth serve 两者都没有。",
    "This page and the simulated WeChat come with weauth dev; weauth serve has neither.",
  ],
};

const LANGUAGES = ["zh", "en"];
const STORED = "weauth.demo.lang";

let language = preferred();

function preferred() {
  const asked = new URLSearchParams(location.search).get("lang");
  let stored = null;
  try {
    stored = localStorage.getItem(STORED);
  } catch {
    // Storage may be switched off; the browser's language will do.
  }
  const known = [asked, stored].find((name) => LANGUAGES.includes(name));
  return known ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
}

/** The BCP 47 tag of the page's language, also sent as Accept-Language. */
export function languageTag() {
  return language === "zh" ? "zh-CN" : "en";
}

/** Turns the page to its other language. */
export function switchLanguage() {
  language = language === "zh" ? "en" : "zh";
  try {
    localStorage.setItem(STORED, language);
  } catch {
    // The choice then holds for this visit only.
  }
}

/** Whether the table knows this key. */
export function has(key) {
  return Object.hasOwn(TABLE, key);
}

/** The string for a key, with its {placeholders} filled in. */
export function t(key, values = {}) {
  const text = TABLE[key][LANGUAGES.indexOf(language)];
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Writes the strings of the table into every element that names one. */
export function translatePage() {
  document.documentElement.lang = languageTag();
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
  }
}
