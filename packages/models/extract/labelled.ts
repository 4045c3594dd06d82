/** Texts with their names marked by hand: `[person Ada]`. People who take part in the talk are known to the extractor. */
export const PARTICIPANTS = ['Maya', 'Ben Carter']

export const CHAT = `
Hey [person Maya], long time no see! How was the trip to [place Lisbon]?
It was great, [person Ben]! I stayed with my cousin [person Inês] and we ate grilled sardines every night.
I finally quit my job at [organization Brightwave]. My last day is [date 14 March].
Wow, congrats! What will you do next? Still thinking about [place Canada]?
Maybe. My sister [person Chloe] lives in [place Vancouver] and her husband works for [organization Shopify].
Did you hear that [person Oluwaseun] got engaged? He proposed to [person Hannah] on top of [place Mount Fuji].
No way! I only met him once, at the [event Glastonbury Festival].
I adopted a puppy yesterday. He is called [person Biscuit] and he already chewed my shoes.
[person Ben], could you send me the number of your dentist, [person Dr. Patel]?
Sure. She moved to a new clinic, [organization Riverside Dental Clinic], near the station.
We signed up for the pottery class on [date Thursday]. The teacher, [person Marguerite], studied in [place Kyoto].
My daughter [person Zoe] starts at [organization Oakfield School] in [date September].
Time flies! I still remember her first birthday in [place Brighton].
I'm reading a book about the history of [place Istanbul], it is so good.
Thanks for the tip. I listened to it on the train from [place Paris] to [place Lyon].
Yesterday I ran into [person Professor Nakamura] in the supermarket, and she asked about you.
She is the reason I went to [organization Stanford University]. I should write to her.
Grandma turned 90 on [date 2 May 2025], and the whole family came to [place Dublin].
I think [person Tobias] is angry with me because I forgot our call on [date Sunday].
Just tell [person Tobias] you are sorry. He never stays mad for long.
Guess what: [person Priyanka] and I are opening a tea shop in [place Edinburgh]!
That's wonderful. Is she still volunteering for the [organization Red Cross]?
Yes, every [date Saturday]. She also plays the cello in the [organization Meadows Orchestra].
I switched to [product Linux] last week and I will never go back.
Ha, good luck. I have used [product Fedora] since [date 2019].
My knee is better. The doctor says I can run the [event Berlin Marathon] in [date September 2026].
Are you free on [date Friday]? [person Luca] is cooking and [person Sven] will bring his guitar.
I can't, I'm flying to [place New York] for a job interview with [organization Etsy].
Good luck! Will you see [person Uncle Frank] while you are there?
Of course. He promised to take me to [place Central Park], like when I was little.
`

export const BUSINESS = `
[person Helena Duarte], CEO of [organization Solstice Energy], announced the merger with [organization Northfield Power Ltd] on [date 3 February 2026].
The contract with [organization Deutsche Bahn] was signed in [place Frankfurt] by [person Markus Vogel].
[organization Kestrel Labs] hired [person Amara Nwosu] as head of research.
Please send the invoice to [organization Lindqvist & Sons AB] in [place Gothenburg] before [date 30 June].
[person Rajesh Iyer] from [organization Infosys] will present [project Project Falcon] at the [event Cloud Summit] in [place Singapore].
Our team moved the billing service from [product Heroku] to [product Kubernetes] in [date Q3].
[organization Acme Corporation] opened an office in [place Toronto], and [person Linda Park] will lead it.
The [organization University of Helsinki] and [organization Novo Nordisk] published the results in [date November 2024].
[person Carlos Mendes] said that [organization Banco do Sul] had refused the loan.
We met [person Yuki Tanaka] of [organization Sakura Robotics GmbH] in [place Munich] to discuss [project Project Lighthouse].
[person Fatima Al-Sayed] joined [organization Globex Inc] in [date January] and works from [place Cairo].
Minutes: [person Peter Olsen] will talk to [person Grace Kim] about the budget by [date next Tuesday].
`
