import { useTranslation } from 'react-i18next';
import classes from './shell.module.css';

export function DemoRibbon() {
  const { t } = useTranslation();
  return (
    <p className={classes.ribbon} role="note">
      {t('app.demo')}
    </p>
  );
}
