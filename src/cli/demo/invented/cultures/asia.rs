//! China, Taiwan, Hong Kong, Japan, Korea, India.

use super::{Culture, Native, city};

const HAN: Option<Native> = Some(Native {
    script: "Hani",
    surname_first: true,
    between: "",
});

pub(super) const CHINA: Culture = Culture {
    region: "CN",
    issuer: "CHN",
    language: "zh-CN",
    native: HAN,
    surnames: &[
        "Wang=王", "Li=李", "Zhang=张", "Liu=刘", "Chen=陈", "Yang=杨", "Zhao=赵", "Huang=黄", "Zhou=周",
        "Wu=吴", "Xu=徐", "Sun=孙", "Hu=胡", "Zhu=朱", "Gao=高", "Lin=林", "He=何", "Guo=郭", "Ma=马",
        "Luo=罗", "Liang=梁", "Song=宋", "Zheng=郑", "Xie=谢", "Han=韩", "Tang=唐", "Feng=冯", "Lü=吕",
        "Ouyang=欧阳", "Zhuge=诸葛",
    ],
    women: &[
        "Xiuying=秀英", "Lina=丽娜", "Fang=芳", "Jing=静", "Min=敏", "Yan=艳", "Xia=霞", "Juan=娟", "Yuting=雨婷",
        "Xinyi=欣怡", "Meiling=美玲", "Jiayi=佳怡", "Shuhui=淑慧", "Lu=璐", "Qian=倩", "Ruoxi=若曦",
        "Zihan=子涵", "Yue=月",
    ],
    men: &[
        "Wei=伟", "Qiang=强", "Lei=磊", "Jun=军", "Yong=勇", "Jie=杰", "Tao=涛", "Ming=明", "Chao=超", "Gang=刚",
        "Haoran=浩然", "Zixuan=子轩", "Yifan=一凡", "Jianguo=建国", "Zhiyuan=志远", "Tianyu=天宇", "Peng=鹏",
        "Bo=博",
    ],
    two_surnames: false,
    middle: false,
    phones: &["+86 199 1000 1###", "+86 139 1000 1###", "+86 188 1000 1###", "+86 177 1000 1###"],
    trunk: "",
    cities: &[
        city("Shanghai", "2000##", "CN-SH"),
        city("Beijing", "1000##", "CN-BJ"),
        city("Guangzhou", "5100##", "CN-GD"),
        city("Chengdu", "6100##", "CN-SC"),
        city("Hangzhou", "3100##", "CN-ZJ"),
        city("Xi'an", "7100##", "CN-SN"),
    ],
    streets: &["## Zhongshan Road, Room ###", "1## Jiefang Avenue", "## Renmin Road, Building #"],
    passport: "E8#######",
    share: 18,
};

pub(super) const TAIWAN: Culture = Culture {
    region: "TW",
    issuer: "TWN",
    language: "zh-TW",
    native: HAN,
    surnames: &[
        "Chen=陳", "Lin=林", "Huang=黃", "Chang=張", "Lee=李", "Wang=王", "Wu=吳", "Liu=劉", "Tsai=蔡", "Yang=楊",
        "Hsu=許", "Cheng=鄭", "Hsieh=謝", "Kuo=郭",
    ],
    women: &[
        "Shu-fen=淑芬", "Mei-hui=美惠", "Ya-ting=雅婷", "Yi-chun=怡君", "Chia-ying=佳穎", "Pei-shan=佩珊",
        "Hsin-yi=欣怡", "Wan-ju=婉如",
    ],
    men: &[
        "Chih-ming=志明", "Chun-hung=俊宏", "Chien-hung=建宏", "Chia-hao=家豪", "Kuan-yu=冠宇", "Tsung-han=宗翰",
        "Po-wei=柏維", "Wen-hsiung=文雄",
    ],
    two_surnames: false,
    middle: false,
    phones: &["+886 912 000 ###", "+886 987 000 ###"],
    trunk: "0",
    cities: &[
        city("Taipei", "1##", "TW-TPE"),
        city("Kaohsiung", "8##", "TW-KHH"),
        city("Taichung", "4##", "TW-TXG"),
    ],
    streets: &["No. ##, Zhongxiao East Road", "No. 1##, Minquan Road, #F"],
    passport: "31#######",
    share: 4,
};

pub(super) const HONG_KONG: Culture = Culture {
    region: "HK",
    issuer: "CHN",
    language: "zh-HK",
    native: HAN,
    surnames: &[
        "Chan=陳", "Wong=黃", "Lee=李", "Cheung=張", "Lau=劉", "Ng=吳", "Leung=梁", "Ho=何", "Kwok=郭", "Yip=葉",
        "Tsang=曾", "Lam=林",
    ],
    women: &[
        "Ka Yan=嘉欣", "Wing Sze=詠詩", "Mei Ling=美玲", "Hoi Yan=凱恩", "Sze Wan=思韻", "Pui Yee=佩儀",
        "Tsz Ching=子晴",
    ],
    men: &[
        "Tai Man=大文", "Chi Keung=志強", "Ka Ming=家明", "Wai Kit=偉傑", "Kwok Wing=國榮", "Tsz Hin=子軒",
        "Ho Yin=浩然",
    ],
    two_surnames: false,
    middle: false,
    phones: &["+852 5100 1###", "+852 6100 1###", "+852 9100 1###"],
    trunk: "",
    cities: &[city("Kowloon", "", ""), city("Hong Kong", "", "")],
    streets: &["Flat #@, ##/F, 1## Nathan Road", "Room ##, ## Queen's Road Central"],
    passport: "KJ0######",
    share: 4,
};

pub(super) const JAPAN: Culture = Culture {
    region: "JP",
    issuer: "JPN",
    language: "ja",
    native: Some(Native {
        script: "Jpan",
        surname_first: true,
        between: " ",
    }),
    surnames: &[
        "Sato=佐藤=サトウ", "Suzuki=鈴木=スズキ", "Takahashi=高橋=タカハシ", "Tanaka=田中=タナカ", "Ito=伊藤=イトウ",
        "Watanabe=渡辺=ワタナベ", "Yamamoto=山本=ヤマモト", "Nakamura=中村=ナカムラ", "Kobayashi=小林=コバヤシ",
        "Kato=加藤=カトウ", "Yoshida=吉田=ヨシダ", "Yamada=山田=ヤマダ", "Saito=斎藤=サイトウ", "Ono=大野=オオノ",
    ],
    women: &[
        "Yoko=陽子=ヨウコ", "Sakura=さくら=サクラ", "Misaki=美咲=ミサキ", "Aoi=葵=アオイ", "Keiko=恵子=ケイコ",
        "Hanako=花子=ハナコ", "Yumi=由美=ユミ", "Rin=凛=リン",
    ],
    men: &[
        "Hiroshi=浩=ヒロシ", "Takashi=隆=タカシ", "Haruto=陽翔=ハルト", "Ren=蓮=レン", "Kenji=健二=ケンジ",
        "Daiki=大輝=ダイキ", "Shota=翔太=ショウタ", "Ichiro=一郎=イチロウ",
    ],
    two_surnames: false,
    middle: false,
    phones: &["+81 90 1000 1###", "+81 80 1000 1###", "+81 70 1000 1###"],
    trunk: "0",
    cities: &[
        city("Tokyo", "100-00##", "JP-13"),
        city("Osaka", "530-00##", "JP-27"),
        city("Kyoto", "600-80##", "JP-26"),
        city("Sapporo", "060-00##", "JP-01"),
    ],
    streets: &["#-1#-# Sakuramachi", "#-#-## Midoricho, Apt. ###"],
    passport: "TZ9######",
    share: 7,
};

pub(super) const KOREA: Culture = Culture {
    region: "KR",
    issuer: "KOR",
    language: "ko",
    native: Some(Native {
        script: "Hang",
        surname_first: true,
        between: "",
    }),
    surnames: &[
        "Kim=김", "Lee=이", "Park=박", "Choi=최", "Jung=정", "Kang=강", "Cho=조", "Yoon=윤", "Jang=장", "Lim=임",
    ],
    women: &["Seo-yeon=서연", "Ji-woo=지우", "Min-seo=민서", "Ha-eun=하은", "Soo-jin=수진", "Eun-ji=은지"],
    men: &["Min-jun=민준", "Seo-jun=서준", "Do-yun=도윤", "Ji-hoon=지훈", "Hyun-woo=현우", "Sung-min=성민"],
    two_surnames: false,
    middle: false,
    phones: &["+82 10 2000 1###", "+82 10 3000 1###"],
    trunk: "0",
    cities: &[city("Seoul", "04###", "KR-11"), city("Busan", "48###", "KR-26")],
    streets: &["## Teheran-ro", "1## Haeundae-ro, ###-ho"],
    passport: "M9#######",
    share: 4,
};

pub(super) const INDIA: Culture = Culture {
    region: "IN",
    issuer: "IND",
    language: "hi",
    native: Some(Native {
        script: "Deva",
        surname_first: false,
        between: " ",
    }),
    surnames: &[
        "Sharma=शर्मा", "Patel=पटेल", "Singh=सिंह", "Gupta=गुप्ता", "Reddy=रेड्डी", "Iyer=अय्यर", "Mehta=मेहता",
        "Nair=नायर", "Joshi=जोशी",
    ],
    women: &["Priya=प्रिया", "Ananya=अनन्या", "Lakshmi=लक्ष्मी", "Kavita=कविता", "Sunita=सुनीता", "Meera=मीरा"],
    men: &["Rahul=राहुल", "Arjun=अर्जुन", "Vikram=विक्रम", "Sanjay=संजय", "Rohan=रोहन", "Amit=अमित"],
    two_surnames: false,
    middle: false,
    phones: &["+91 98100 01###", "+91 99000 01###"],
    trunk: "0",
    cities: &[
        city("Mumbai", "4000##", "IN-MH"),
        city("Bengaluru", "5600##", "IN-KA"),
        city("New Delhi", "1100##", "IN-DL"),
    ],
    streets: &["## M. G. Road", "Flat ##, Lake View Apartments, #th Cross"],
    passport: "Z9######",
    share: 5,
};
