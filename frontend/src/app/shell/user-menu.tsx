import { Menu, useMantineColorScheme } from '@mantine/core';
import { useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { SIGN_OUT } from '@/config/addresses';
import { useHospital } from '@/lib/hospital';
import { chooseLanguage, keepLanguage, LANGUAGES, type Language } from '@/lib/i18n';
import classes from './shell.module.css';

const SCHEMES = ['auto', 'light', 'dark'] as const;

export function UserMenu() {
  const { t, i18n } = useTranslation();
  const { user, csrf_token: token, version } = useHospital();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const signOut = useRef<HTMLFormElement>(null);
  const name = user?.display_name ?? '';
  const pick = (language: Language) => {
    keepLanguage(language);
    void chooseLanguage(language);
  };
  return (
    <>
      <form ref={signOut} method="post" action={SIGN_OUT} hidden>
        <input type="hidden" name="csrfmiddlewaretoken" value={token} />
      </form>
      <Menu position="bottom-end" width={240} withinPortal>
        <Menu.Target>
          <button type="button" className={classes.user} aria-label={t('app.userMenu', { name })}>
            <span className={classes.initials} aria-hidden="true">
              {initialsOf(name)}
            </span>
            <bdi className={classes.userName}>{name}</bdi>
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>{t('app.language')}</Menu.Label>
          {(Object.keys(LANGUAGES) as Language[]).map((language) => (
            <Choice key={language} chosen={i18n.language === language} onChoose={() => pick(language)}>
              <span lang={language}>{LANGUAGES[language].name}</span>
            </Choice>
          ))}
          <Menu.Divider />
          <Menu.Label>{t('app.appearance')}</Menu.Label>
          {SCHEMES.map((scheme) => (
            <Choice key={scheme} chosen={colorScheme === scheme} onChoose={() => setColorScheme(scheme)}>
              {t(`app.${scheme}`)}
            </Choice>
          ))}
          <Menu.Divider />
          <Menu.Item onClick={() => signOut.current?.submit()}>{t('app.signOut')}</Menu.Item>
          <Menu.Label>{t('app.version', { version })}</Menu.Label>
        </Menu.Dropdown>
      </Menu>
    </>
  );
}

type ChoiceProps = { chosen: boolean; onChoose: () => void; children: React.ReactNode };

function Choice({ chosen, onChoose, children }: ChoiceProps) {
  return (
    <Menu.Item
      role="menuitemradio"
      aria-checked={chosen}
      onClick={onChoose}
      rightSection={chosen ? <span aria-hidden="true">✓</span> : null}
    >
      {children}
    </Menu.Item>
  );
}

function initialsOf(name: string): string {
  return name
    .split(/\s+/)
    .map((word) => Array.from(word)[0] ?? '')
    .slice(0, 2)
    .join('')
    .toLocaleUpperCase();
}
