import { useData } from 'vitepress'
import DefaultTheme from 'vitepress/theme'
import { h } from 'vue'
import NotFound from './NotFound.vue'
import SettingsCalculator from './SettingsCalculator.vue'
import SettingsCases from './SettingsCases.vue'
import './style.css'
import './settings.css'

export default {
  extends: DefaultTheme,
  Layout() {
    const { theme } = useData()
    return h(DefaultTheme.Layout, null, {
      'nav-bar-title-after': () => h('span', { class: 'version' }, theme.value.version),
      'not-found': () => h(NotFound),
    })
  },
  enhanceApp({ app }) {
    app.component('SettingsCalculator', SettingsCalculator)
    app.component('SettingsCases', SettingsCases)
  },
}
