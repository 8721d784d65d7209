// A login's whole life as a standard OAuth client lives it: arguments are the issuer, a code of wx.login, the
// appid, and the name and text of an API key. Prints what it met as JSON.

import { webcrypto } from 'node:crypto'

globalThis.crypto ??= webcrypto // Node.js 18 hides it
globalThis.CryptoKey ??= webcrypto.CryptoKey
const oauth = await import('oauth4webapi')

const [issuer, code, appid, backendName, backendKey] = process.argv.slice(2)
const options = { [oauth.allowInsecureRequests]: true }
const client = { client_id: appid }
const GRANT = 'urn:weauth:params:oauth:grant-type:wechat-code'
const met = {}

const found = await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...options })
const server = await oauth.processDiscoveryResponse(new URL(issuer), found)
met.metadata = server

const grant = (parameters) =>
  oauth.genericTokenEndpointRequest(server, client, oauth.None(), GRANT, new URLSearchParams(parameters), options)
const refreshed = async (token) => {
  const response = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, options)
  return oauth.processRefreshTokenResponse(server, client, response)
}
const claims = (token) => {
  const request = new Request(issuer, { headers: { authorization: `Bearer ${token}` } })
  return oauth.validateJwtAccessToken(server, request, appid, options)
}
// The error that the library reads from an answer.
const refused = async (promise) => {
  try {
    await promise
    return null
  } catch (problem) {
    const { error, error_description, status, code, cause } = problem
    return { error, error_description, status, kind: code, challenges: cause?.map?.((one) => one.scheme) }
  }
}

met.login = await oauth.processGenericTokenEndpointResponse(server, client, await grant({ code }))
met.claims = await claims(met.login.access_token)
met.refresh = await refreshed(met.login.refresh_token)
met.refreshed_claims = await claims(met.refresh.access_token)
met.errors = {
  used: await refused(grant({ code }).then((r) => oauth.processGenericTokenEndpointResponse(server, client, r))),
  empty: await refused(grant({}).then((r) => oauth.processGenericTokenEndpointResponse(server, client, r))),
  refresh: await refused(refreshed('x')),
  scope: await refused((async () => {
    const additionalParameters = { scope: 'notes:delete' }
    const token = met.refresh.refresh_token
    const response =
      await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, { ...options, additionalParameters })
    return oauth.processRefreshTokenResponse(server, client, response)
  })()),
  stranger: await refused((async () => {
    const stranger = { client_id: 'wx0000000000000000' }
    const response =
      await oauth.genericTokenEndpointRequest(server, stranger, oauth.None(), GRANT, { code: 'x' }, options)
    return oauth.processGenericTokenEndpointResponse(server, stranger, response)
  })()),
}

// What the developer's own backend does, as a confidential client.
const backend = { client_id: backendName }
const secret = (key) => [oauth.ClientSecretBasic(key), oauth.ClientSecretPost(key)]
const introspected = async (token, auth) => {
  const response = await oauth.introspectionRequest(server, backend, auth, token, options)
  return oauth.processIntrospectionResponse(server, backend, response)
}
const revoked = async (token, auth) =>
  oauth.processRevocationResponse(await oauth.revocationRequest(server, backend, auth, token, options))
const token = met.refresh.access_token
const [basic, post] = secret(backendKey)
met.introspected = [await introspected(token, basic), await introspected(met.refresh.refresh_token, post)]
met.errors.key = [await refused(introspected(token, secret('weauth_x')[0])), await refused(revoked(token, secret('weauth_x')[1]))]
await revoked('no token at all', post)
met.before = await introspected(token, basic)
await revoked(met.refresh.refresh_token, basic)
met.after = await introspected(token, basic)
met.errors.revoked = await refused(refreshed(met.refresh.refresh_token))

console.log(JSON.stringify(met))
