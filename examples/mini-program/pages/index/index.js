const weauth = require('../../utils/weauth')

Page({
  data: { user: null, problem: null },

  async onLoad() {
    try {
      const { data } = await weauth.request({ url: 'http://127.0.0.1:8080/me' })
      this.setData({ user: data })
    } catch (problem) {
      this.setData({ problem })
    }
  },
})
