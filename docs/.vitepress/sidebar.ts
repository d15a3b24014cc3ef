import type { DefaultTheme } from 'vitepress'

/** One entry for each page. A test checks that no page is missing. */
export const SIDEBAR: DefaultTheme.SidebarItem[] = [
  section('Start', {
    index: 'Overview',
  }),
]

function section(text: string, pages: Record<string, string>): DefaultTheme.SidebarItem {
  const items = Object.entries(pages).map(([page, title]) => ({
    text: title,
    link: page === 'index' ? '/' : `/${page}`,
  }))
  return { text, items, collapsed: false }
}
