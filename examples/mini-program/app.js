const weauth = require('./utils/weauth')

App({
  onLaunch() {
    weauth.configure({
      baseUrl: 'http://127.0.0.1:8080',
      // `weauth dev` has a simulated WeChat behind it, which knows no code of the real wx.login.
      // Delete this line once `weauth serve` runs with your appid and secret.
      code: async () => `sim.alice.${Date.now()}`,
    })
  },
})
